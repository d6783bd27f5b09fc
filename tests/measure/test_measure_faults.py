"""What the inputs do not decide is tried again; what is absent, unwritable or incomplete makes rows *not run*."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torchmetrics

from _exchange.digest import sha256_of_file
from _exchange.errors import InputError
from _exchange.items import ItemId, TruthFiles
from _measure import network_weights, weights
from _measure.findings import network_findings
from _measure.networks.alexnet import AlexNetFeatures
from _measure.protocols import Settings
from _measure.run import MeasureOptions, Target, measure_targets
from _measure.scoring import NetworkFacts, Part, PartKeys
from _measure.surface_scores import score_surfaces
from _measure.table import Table
from tests.measure.small_benchmark import SmallBenchmark
from tests.measure.test_weights import manifest_with

SETTINGS = Settings(sample_count=50)
OPTIONS = MeasureOptions(may_download=False)


def first_table(bench: SmallBenchmark, target: Target, options: MeasureOptions) -> Table:
    tables = measure_targets(bench.run.measured, [target], bench.items, bench.truth_of, options)
    assert isinstance(tables, list)
    return tables[0]


def measure(bench: SmallBenchmark, settings: Settings = SETTINGS, **changes) -> Table:
    target = Target(bench.run, bench.predictions, settings)
    return first_table(bench, target, replace(OPTIONS, **changes))


def journal(bench: SmallBenchmark) -> list[str]:
    """Items that have lines, in the order of their first ones."""
    lines = bench.run.measured.read_text().splitlines()
    return list(dict.fromkeys(json.loads(line)["item"] for line in lines))


def keys_of(bench: SmallBenchmark, item: ItemId, truth: TruthFiles) -> dict[Part, str]:
    facts = NetworkFacts(lpips={"weights": "digest"}, clip={"weights": "digest"})
    return PartKeys(bench.predictions, SETTINGS, facts, {}).of(item, truth)


# -- faults -----------------------------------------------------------------------------------------------------


def test_a_fault_is_tried_again_by_the_next_call(benchmark_run: SmallBenchmark, no_weights, monkeypatch) -> None:
    def short_of_memory(item: ItemId, *rest):
        if item == benchmark_run.items[1]:
            raise MemoryError("too little")
        return score_surfaces(item, *rest)

    with monkeypatch.context() as patch:
        patch.setattr("_measure.scoring.score_surfaces", short_of_memory)
        table = measure(benchmark_run)
    assert [problem.reason for problem in table.problems] == ["Unexpected MemoryError: too little."]
    assert journal(benchmark_run) == ["balls/ball_0", "balls/ball_2"]
    assert measure(benchmark_run).problems == ()
    assert journal(benchmark_run) == ["balls/ball_0", "balls/ball_2", "balls/ball_1"]


def test_a_fault_of_the_data_is_kept(benchmark_run: SmallBenchmark, no_weights) -> None:
    benchmark_run.run.item(benchmark_run.items[1]).mesh.unlink()
    first = measure(benchmark_run)
    assert measure(benchmark_run).problems == first.problems
    assert len(journal(benchmark_run)) == 3


PICTURES = {"pixels", "lpips", "clip"}


@pytest.mark.parametrize(
    ("part", "touched"),
    [
        ("pictures", PICTURES),
        ("character", {"surfaces"}),
        ("region", PICTURES | {"surfaces"}),
        ("head_position", {"surfaces"}),
        ("shading", {"surfaces"}),
    ],
)
def test_everything_of_the_truth_is_part_of_the_keys_that_it_decides(
    benchmark_run: SmallBenchmark, part: str, touched: set[str]
) -> None:
    item = benchmark_run.items[0]
    truth = benchmark_run.truths[item]
    other = {
        "pictures": dict(list(truth.pictures.items())[1:]),
        "character": benchmark_run.run.item(item).mesh,
        "region": replace(truth.region, row=truth.region.row + 0.25),
        "head_position": (0.0, 0.0, 0.0),
        "shading": "paper",
    }[part]
    before, after = (keys_of(benchmark_run, item, t) for t in (truth, replace(truth, **{part: other})))
    assert {name for name in before if before[name] != after[name]} == touched


def test_where_the_truth_lies_is_no_part_of_the_key(benchmark_run: SmallBenchmark, tmp_path: Path) -> None:
    item = benchmark_run.items[0]
    truth = benchmark_run.truths[item]
    moved = tmp_path / "moved.glb"
    moved.write_bytes(truth.character.read_bytes())
    assert keys_of(benchmark_run, item, truth) == keys_of(benchmark_run, item, replace(truth, character=moved))


# -- networks ---------------------------------------------------------------------------------------------------


@pytest.fixture
def bare_alexnet(no_weights: Path, monkeypatch, tmp_path: Path) -> Path:
    """A folder with AlexNet's backbone, found; its heads come from torchmetrics unless a test hides them."""
    folder = tmp_path / "networks"
    folder.mkdir()
    path = folder / weights.ALEXNET.file_name
    torch.manual_seed(0)
    torch.save(AlexNetFeatures().state_dict(), path)
    manifest_with(monkeypatch, "alexnet", sha256=sha256_of_file(path))
    monkeypatch.setenv(weights.FOLDERS_VARIABLE, str(folder))
    return folder


def hide_torchmetrics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def test_a_backbone_without_its_heads_stops_nothing(benchmark_run: SmallBenchmark, bare_alexnet, monkeypatch) -> None:
    hide_torchmetrics(monkeypatch)
    table = measure(benchmark_run, settings=Settings(lpips_network="alex", sample_count=50))
    rows = {(row.plan.subset, row.plan.label): row for row in table.rows}
    assert rows["front", "lpips"].not_run.startswith("Expected the linear heads of LPIPS-alex")
    assert rows["front", "lpips"].not_run.endswith("Run make/setup")
    assert rows["front", "psnr"].n == 3
    assert table.weights == {}
    finding = next(finding for finding in network_findings() if finding.what == "LPIPS-alex")
    assert not finding.present
    assert finding.fix == "Run make/setup."


def test_heads_may_lie_beside_the_backbone(bare_alexnet: Path, monkeypatch) -> None:
    published = network_weights.linear_heads("alex")
    source = Path(torchmetrics.__file__).parent / "functional/image/lpips_models/alex.pth"
    (bare_alexnet / "lpips_v0.1_lin_alex.pth").write_bytes(source.read_bytes())
    hide_torchmetrics(monkeypatch)
    found = network_weights.linear_heads("alex")
    assert {name: tuple(head.shape) for name, head in found.items()} == {
        f"lin{layer}.model.1.weight": (1, channels, 1, 1) for layer, channels in enumerate((64, 192, 384, 256, 256))
    }
    assert all(torch.equal(found[name], published[name]) for name in found)
    assert min(float(head.min()) for head in found.values()) >= 0  # the heads are non-negative


def test_the_first_folder_with_the_file_decides(bare_alexnet: Path, monkeypatch, tmp_path: Path) -> None:
    later = tmp_path / "later"
    later.mkdir()
    (later / weights.ALEXNET.file_name).write_bytes(b"damaged")
    monkeypatch.setenv(weights.FOLDERS_VARIABLE, f"{tmp_path / 'absent'}:{bare_alexnet}:{later}")
    assert weights.lpips_file("alex")[1] == bare_alexnet / weights.ALEXNET.file_name
    monkeypatch.setenv(weights.FOLDERS_VARIABLE, f"{later}:{bare_alexnet}")
    with pytest.raises(InputError, match=r"later/alexnet.*Replace or remove that file"):
        weights.lpips_file("alex")


def test_a_cache_that_cannot_be_made_is_no_crash(benchmark_run: SmallBenchmark, monkeypatch, tmp_path: Path) -> None:
    """As in a container whose file system is read-only: here the cache's place is taken by a file."""
    (tmp_path / "taken").write_text("a file")
    monkeypatch.delenv(weights.FOLDERS_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "taken"))
    table = measure(benchmark_run, may_download=True)
    row = next(row for row in table.rows if row.plan.label == "lpips")
    assert "Not a directory" in row.not_run
    assert "Run python3 -m _scripts.download squeezenet1_1" in row.not_run


def test_offline_asks_no_address(benchmark_run: SmallBenchmark, no_weights, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("urllib.request.OpenerDirector.open", refuse)
    row = next(row for row in measure(benchmark_run).rows if row.plan.label == "lpips")
    assert "found them in no folder" in row.not_run
