"""Networks of a run: which are here, on which device they compute, and what the table says of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from _exchange.errors import InputError, MissingComponent
from _exchange.protocol import CORRECTED, PAPER
from _measure.aggregate import Row
from _measure.network_choice import LoadedNetworks, NetworkNeeds, choose_networks, device_class
from _measure.protocols import Settings
from _measure.run import MeasureOptions, Target, measure_targets
from _measure.table import Table
from _measure.weights import CLIP_VIT_B32
from tests.measure.small_benchmark import SmallBenchmark, make_benchmark

pytestmark = pytest.mark.usefixtures("no_weights")


class MeanColours:
    """Stands in for CLIP's encoder: channel means, and a constant so that no embedding is zero."""

    def encode(self, pictures: np.ndarray) -> np.ndarray:
        return np.concatenate([pictures.mean((2, 3)), np.ones((len(pictures), 1))], axis=1)


@pytest.fixture
def benchmark_run(tmp_path: Path) -> SmallBenchmark:
    """One item: networks see no other."""
    return make_benchmark(tmp_path, 1)


@pytest.fixture
def clip_here(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """CLIP's file is found; returns the devices and precisions that an encoder was asked for."""
    asked = []

    def encoder(device: str, precision: str) -> MeanColours:
        asked.append((device, precision))
        return MeanColours()

    monkeypatch.setattr("_measure.network_choice.clip_file", lambda **_: (CLIP_VIT_B32, Path("ViT-B-32.pt")))
    monkeypatch.setattr("_measure.network_weights.clip_encoder", encoder)
    return asked


def measure(bench: SmallBenchmark, protocol=CORRECTED, **changes) -> Table:
    target = Target(bench.run, bench.predictions, Settings(protocol, "alex", sample_count=50))
    options = replace(MeasureOptions(may_download=False), **changes)
    answer = measure_targets(bench.run.measured, [target], bench.items, bench.truth_of, options)
    assert isinstance(answer, list)
    return answer[0]


def rows(table: Table) -> dict[tuple[str, str], Row]:
    return {(row.plan.subset, row.plan.label): row for row in table.rows}


def test_clip_is_scored_where_its_weights_are(benchmark_run: SmallBenchmark, clip_here: list) -> None:
    table = measure(benchmark_run)
    found = rows(table)
    assert clip_here == [("cpu", "float32")]
    assert {found[subset, "clip"].n for subset in ("front", "back", "360")} == {1}
    assert 90 < found["front", "clip"].value <= 100
    assert table.weights == {CLIP_VIT_B32.file_name: CLIP_VIT_B32.sha256}
    assert found["front", "lpips"].not_run


def test_the_protocol_names_clips_precision(benchmark_run: SmallBenchmark, clip_here: list) -> None:
    measure(benchmark_run, PAPER)
    assert clip_here == [("cpu", "device")]
    # On a CPU both precisions are float32: nothing is scored again, so no encoder is loaded.
    measure(benchmark_run, replace(PAPER, clip_precision="float32"))
    assert len(clip_here) == 1


def test_a_network_is_loaded_only_where_something_is_left_to_score(
    benchmark_run: SmallBenchmark, clip_here: list
) -> None:
    measure(benchmark_run)
    measure(benchmark_run)
    assert len(clip_here) == 1


def test_weights_that_come_later_score_their_rows_and_no_others(
    benchmark_run: SmallBenchmark, request: pytest.FixtureRequest
) -> None:
    assert rows(measure(benchmark_run))["front", "clip"].not_run.endswith("_scripts.download clip-vit-b32")
    before = benchmark_run.run.measured.read_text()
    request.getfixturevalue("clip_here")
    assert rows(measure(benchmark_run))["front", "clip"].n == 1
    added = benchmark_run.run.measured.read_text().removeprefix(before)
    late = benchmark_run.run.scores.read_bytes()
    benchmark_run.run.measured.unlink()
    measure(benchmark_run)
    assert benchmark_run.run.scores.read_bytes() == late
    assert added.count('"part": "clip"') == added.count('"part"') == 1


@pytest.mark.parametrize(
    ("protocol", "cuda", "precision"),
    [(PAPER, False, "float32"), (CORRECTED, False, "float32"), (PAPER, True, "float16"), (CORRECTED, True, "float32")],
)
def test_the_facts_hold_the_precision_that_a_device_really_takes(
    protocol, cuda: bool, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("_measure.network_choice.device_class", lambda _: "cuda" if cuda else "cpu")
    facts = choose_networks(Settings(protocol, "alex"), "cuda" if cuda else "cpu", may_download=False).facts
    assert (facts.device, facts.clip_precision) == ("cuda" if cuda else "cpu", precision)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_told_before_anything_is_scored(benchmark_run: SmallBenchmark) -> None:
    with pytest.raises(MissingComponent, match=r"for .*cuda"):
        measure(benchmark_run, device="cuda")
    assert not benchmark_run.run.measured.exists()


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(InputError, match="out of cpu, cuda, cuda:N, found 'tpu'"):
        device_class("tpu")


def test_no_networks_load_no_torch_arithmetic() -> None:
    loaded = LoadedNetworks.load(NetworkNeeds())
    networks = loaded.of(Settings())
    assert (networks.lpips, networks.clip) == (None, None)
    threads = torch.get_num_threads()
    with loaded.repeatable():
        assert torch.get_num_threads() == threads
