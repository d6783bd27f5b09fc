"""Which part of an item's scores each choice decides, seen in its keys."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from _exchange.items import Region
from _exchange.protocol import CORRECTED, PAPER, Protocol
from _measure.protocols import Settings
from _measure.scoring import PARTS, NetworkFacts, Part, PartKeys
from tests.measure.small_benchmark import SmallBenchmark, make_benchmark

FACTS = NetworkFacts(lpips={"alex.pth": "1"}, clip={"clip.pt": "2"})
VERSIONS = {"python": "3.11", "numpy": "2", "torch": "2", "pillow": "13", "libigl": "2"}
DECIDES: dict[str, set[str]] = {
    "psnr_peak": {"pixels"},
    "lpips_range": {"lpips"},
    "truth_region": {"surfaces"},
    "truth_box_bounds_y": {"surfaces"},
    "truth_pose": {"surfaces"},
    "sample_seed": {"surfaces"},
}
"""Every other field decides no raw score: it is decided elsewhere, or when means are taken."""


@pytest.fixture(scope="module")
def benchmark_run(tmp_path_factory: pytest.TempPathFactory) -> SmallBenchmark:
    """One item; not to be changed."""
    return make_benchmark(tmp_path_factory.mktemp("keys"), 1)


def keys(
    bench: SmallBenchmark, settings: Settings, facts: NetworkFacts = FACTS, versions: dict[str, str] = VERSIONS
) -> dict[Part, str]:
    item = bench.items[0]
    return PartKeys(bench.predictions, settings, facts, versions).of(item, bench.truths[item])


def changed(before: dict[Part, str], after: dict[Part, str]) -> set[str]:
    return {part for part in PARTS if before.get(part) != after.get(part)}


@pytest.mark.parametrize("field", [field.name for field in fields(Protocol)])
def test_a_switch_is_in_the_keys_of_the_parts_that_it_decides(benchmark_run: SmallBenchmark, field: str) -> None:
    flipped = replace(CORRECTED, **{field: getattr(PAPER, field)})
    before, after = (keys(benchmark_run, Settings(protocol, "alex")) for protocol in (CORRECTED, flipped))
    assert changed(before, after) == DECIDES.get(field, set())


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"device": "cuda"}, {"lpips", "clip"}),
        ({"clip_precision": "float16"}, {"clip"}),
        ({"lpips": {"alex.pth": "other"}}, {"lpips"}),
        ({"clip": {"clip.pt": "other"}}, {"clip"}),
        ({"clip": {}}, {"clip"}),
    ],
)
def test_networks_and_their_device_decide_their_own_scores(
    benchmark_run: SmallBenchmark, change: dict, parts: set[str]
) -> None:
    settings = Settings(CORRECTED, "alex")
    assert changed(keys(benchmark_run, settings), keys(benchmark_run, settings, replace(FACTS, **change))) == parts


def test_a_network_without_weights_is_no_part(benchmark_run: SmallBenchmark) -> None:
    assert set(keys(benchmark_run, Settings(), NetworkFacts({}, {}))) == {"pixels", "surfaces"}


@pytest.mark.parametrize(("name", "parts"), [("torch", {"lpips", "clip"}), ("libigl", {"surfaces"})])
def test_a_librarys_version_decides_what_it_computes(benchmark_run: SmallBenchmark, name: str, parts: set[str]) -> None:
    other = VERSIONS | {name: "0"}
    assert changed(keys(benchmark_run, Settings()), keys(benchmark_run, Settings(), versions=other)) == parts


def test_the_runs_seed_counts_where_samples_follow_it(benchmark_run: SmallBenchmark) -> None:
    following = replace(CORRECTED, sample_seed="run")
    for protocol, parts in ((CORRECTED, set()), (following, {"surfaces"})):
        before, after = (keys(benchmark_run, Settings(protocol, run_seed=seed)) for seed in (1, 2))
        assert changed(before, after) == parts


def test_the_network_and_the_number_of_samples_decide_one_part_each(benchmark_run: SmallBenchmark) -> None:
    base = keys(benchmark_run, Settings(lpips_network="alex"))
    assert changed(base, keys(benchmark_run, Settings(lpips_network="vgg"))) == {"lpips"}
    assert changed(base, keys(benchmark_run, Settings(lpips_network="alex", sample_count=9))) == {"surfaces"}


# -- the digest of a truth --------------------------------------------------------------------------------------


def truth_digest(bench: SmallBenchmark, **changes: object) -> str:
    parts = PartKeys(bench.predictions, Settings(CORRECTED, "alex"), FACTS, VERSIONS)
    return parts.of_truth(replace(bench.truths[bench.items[0]], **changes))


def test_truths_differ_by_content_and_not_by_place(benchmark_run: SmallBenchmark, tmp_path: Path) -> None:
    truth = benchmark_run.truths[benchmark_run.items[0]]
    copy = tmp_path / "elsewhere.glb"
    copy.write_bytes(truth.character.read_bytes())
    first = truth_digest(benchmark_run)
    assert truth_digest(benchmark_run, character=copy) == first
    copy.write_bytes(truth.character.read_bytes() + b" ")
    assert truth_digest(benchmark_run, character=copy) != first
    front = tmp_path / "front.png"
    front.write_bytes(truth.pictures["ortho_front"].read_bytes())
    pictures = {**truth.pictures, "ortho_front": front}
    assert truth_digest(benchmark_run, pictures=pictures) == first
    front.write_bytes(front.read_bytes() + b" ")
    assert truth_digest(benchmark_run, pictures=pictures) != first


@pytest.mark.parametrize("changes", [{"region": Region(0, 0, 9, 9)}, {"head_position": (0, 1, 0)}])
def test_what_is_compared_is_part_of_the_truth(benchmark_run: SmallBenchmark, changes: dict) -> None:
    assert truth_digest(benchmark_run, **changes) != truth_digest(benchmark_run)
