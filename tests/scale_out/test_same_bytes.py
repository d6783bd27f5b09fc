"""However the work is spread over processes, parts and Ray workers: the same bytes as one process in one go."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from _databacks.characters import FIRST_FREE_SEED, write_character
from _databacks.dataset import open_dataset
from _databacks.layout import DatasetLayout
from _databacks.prepare import PrepareResult, SetInUse, prepare
from _databacks.prepare_plan import PrepareConfig
from _databacks.sample import write_sample_characters
from _exchange.file_lock import FileLock
from _exchange.run_folder import RunFolder
from _exchange.shard import Shard
from _exchange.workers import Executor
from _measure.measure import MeasureConfig, measure_shard
from _methods.generate import GenerateOptions, generate
from tests.databacks.tiny_characters import cube, files_below, write_tiny

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 300
KINDS = ("ortho", "xyza")

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (_env/requirements-ray.txt)")


@dataclass(frozen=True)
class Spread:
    """One way to spread the work: calls that follow one another."""

    workers: int = 1
    executor: Executor = "local"
    shards: tuple[str, ...] = ("1/1",)


SPREADS = [
    pytest.param(Spread(shards=("2/2", "1/2")), id="two parts, the second first"),
    pytest.param(Spread(workers=2, executor="ray"), id="ray", marks=needs_ray),
]
"""Local worker processes are held by the tests of each verb."""


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIME3D_PROGRESS", "off")


@pytest.fixture
def spread(request: pytest.FixtureRequest) -> Spread:
    if request.param.executor == "ray":
        request.getfixturevalue("ray_cluster")
    return request.param


# -- prepare ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five characters, one of them broken, in two groups."""
    folder = tmp_path_factory.mktemp("prepare") / "in"
    for number in range(4):
        write_tiny(folder / ("_friends" if number % 2 else "") / f"c{number}.vrm", positions=cube(0.05 + 0.02 * number))
    (folder / "broken.vrm").write_bytes(b"no character")
    return folder


@pytest.fixture(scope="module")
def undisturbed(source: Path) -> dict[str, bytes]:
    """The dataset that one process makes of them."""
    out = source.parent / "undisturbed"
    assert _prepare(source, out).complete
    return files_below(out)


def _prepare(
    source: Path, out: Path, shard: str = "1/1", workers: int = 1, executor: Executor = "local"
) -> PrepareResult:
    return prepare(
        PrepareConfig(
            source=source, out=out, kinds=KINDS, backend="cpu", shard=shard, workers=workers, executor=executor
        )
    )


@pytest.mark.parametrize("spread", SPREADS, indirect=True)
def test_prepared_sets(source: Path, undisturbed: dict[str, bytes], tmp_path: Path, spread: Spread) -> None:
    results = [_prepare(source, tmp_path, shard, spread.workers, spread.executor) for shard in spread.shards]
    assert files_below(tmp_path) == undisturbed
    assert [result.complete for result in results] == [False] * (len(results) - 1) + [True]
    assert sum(result.drawn for result in results) == 4


def test_a_part_says_how_far_the_set_is_and_writes_no_tables(source: Path, tmp_path: Path) -> None:
    result = _prepare(source, tmp_path, "1/2")
    assert (result.total, result.so_far, result.whole, result.complete) == (3, 3, 5, False)
    assert not (tmp_path / "subsets").exists()
    again = _prepare(source, tmp_path, "1/2")
    assert (again.drawn, again.so_far) == (0, 3)


def test_a_part_does_not_count_what_was_drawn_in_another_way(source: Path, tmp_path: Path) -> None:
    _prepare(source, tmp_path, "1/2")
    other = PrepareConfig(source=source, out=tmp_path, kinds=("rgb",), backend="cpu", workers=1, shard="2/2")
    result = prepare(other)
    assert (result.so_far, result.complete) == (2, False)


def test_a_whole_set_is_not_prepared_beside_a_part(source: Path, tmp_path: Path) -> None:
    with FileLock(DatasetLayout(tmp_path).render_set("own").lock) as part:
        assert part.take("shared")
        with pytest.raises(SetInUse, match="another prepare at work"):
            _prepare(source, tmp_path)
        result = _prepare(source, tmp_path, "1/1000")
    assert (result.drawn, result.complete) == (1, False)


def test_a_part_is_not_prepared_beside_a_whole_set(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("_databacks.prepare._PATIENCE_S", 0)
    with FileLock(DatasetLayout(tmp_path).render_set("own").lock) as whole:
        assert whole.take("alone")
        with pytest.raises(SetInUse, match="only other parts at work") as caught:
            _prepare(source, tmp_path, "1/2")
    assert "again" in caught.value.next_step


def test_a_part_that_ends_while_another_is_at_work_leaves_the_tables_to_it(source: Path, tmp_path: Path) -> None:
    _prepare(source, tmp_path, "1/2")
    with FileLock(DatasetLayout(tmp_path).render_set("own").lock) as other:
        assert other.take("shared")
        result = _prepare(source, tmp_path, "2/2")
    assert (result.so_far, result.complete) == (5, False)
    assert _prepare(source, tmp_path, "1/2").complete


PROGRAM = """
import sys
from pathlib import Path
from _databacks.prepare import prepare
from _databacks.prepare_plan import PrepareConfig
source, out, shard = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
result = prepare(PrepareConfig(source=source, out=out, kinds=("ortho", "xyza"), backend="cpu", workers=1, shard=shard))
print(result.complete, result.so_far)
"""


def test_two_parts_at_the_same_time(source: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    answers = _at_once(PROGRAM, [(source, tmp_path, f"{number}/2") for number in (1, 2)])
    assert files_below(tmp_path) == undisturbed
    assert sum(answer.startswith("True 5") for answer in answers) == 1


def _at_once(program: str, calls: list[tuple[object, ...]]) -> list[str]:
    """What processes that run at the same time print."""
    environment = os.environ | {"ANIME3D_PROGRESS": "off", "PYTHONPATH": str(REPOSITORY)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, *map(str, call)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for call in calls
    ]
    answers = [process.communicate(timeout=PATIENCE_S) for process in processes]
    assert [(process.returncode, error) for process, (_, error) in zip(processes, answers)] == [(0, "")] * len(calls)
    return [out for out, _ in answers]


SAMPLE_PROGRAM = """
import sys
from pathlib import Path
from _databacks.sample import write_sample_characters
write_sample_characters(Path(sys.argv[1]), limit=1)
print((Path(sys.argv[1]) / "manifest.json").stat().st_mtime_ns)
"""


def test_sample_characters_are_written_by_whoever_comes_first(tmp_path: Path) -> None:
    _at_once(SAMPLE_PROGRAM, [(tmp_path,), (tmp_path,)])
    (written,) = (tmp_path / "sample").iterdir()
    write_sample_characters(tmp_path / "other", limit=1)
    assert written.read_bytes() == (tmp_path / "other" / "sample" / written.name).read_bytes()


# -- generate and measure ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of a procedural character and a cube."""
    folder = tmp_path_factory.mktemp("run")
    write_character(FIRST_FREE_SEED, folder / "in" / "person.vrm")
    write_tiny(folder / "in" / "cube.vrm")
    prepare(PrepareConfig(source=folder / "in", out=folder / "data", backend="cpu", workers=1))
    return folder / "data"


@pytest.fixture(scope="module")
def one_process(data: Path) -> dict[str, bytes]:
    """The results of one process in one go."""
    return _generated_and_measured(data, data.parent / "one", Spread())


def _generated_and_measured(data: Path, out: Path, spread: Spread) -> dict[str, bytes]:
    """Content by path of everything that must repeat: results of items, scores, tables."""
    dataset = open_dataset(data)
    for shard in spread.shards:
        options = GenerateOptions(
            out=out, shard=Shard.parse(shard), workers=spread.workers, executor=spread.executor, resolution=48
        )
        assert not generate(dataset, options).failed
    for shard in spread.shards:
        config = MeasureConfig(
            path=out, shard=shard, workers=spread.workers, executor=spread.executor, lpips_net="squeeze", offline=True
        )
        measure_shard(config)
    run = RunFolder(out)
    paths = [path for item in dataset.items() for path in run.item(item).result_files()]
    paths += [run.scores, *sorted(out.glob("table.*"))]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("spread", SPREADS, indirect=True)
def test_runs_scores_and_tables(data: Path, one_process: dict[str, bytes], tmp_path: Path, spread: Spread) -> None:
    results = _generated_and_measured(data, tmp_path / "run", spread)
    assert results.keys() == one_process.keys()
    assert [name for name in results if results[name] != one_process[name]] == []
    assert {"scores.jsonl", "table.json", "table.txt"} < results.keys()


RUN_PROGRAM = """
import sys
from pathlib import Path
from _databacks.dataset import open_dataset
from _exchange.shard import Shard
from _methods.generate import GenerateOptions, generate
data, out, shard = Path(sys.argv[1]), Path(sys.argv[2]), Shard.parse(sys.argv[3])
print(generate(open_dataset(data), GenerateOptions(out=out, shard=shard, method="billboard", resolution=48)).made)
"""


def test_two_parts_of_a_run_that_start_together(data: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    assert _at_once(RUN_PROGRAM, [(data, run.path, "1/2"), (data, run.path, "2/2")]) == ["1\n", "1\n"]
    summary = generate(
        open_dataset(data), GenerateOptions(out=run.path, method="billboard", resolution=48, existing="require")
    )
    assert (summary.made, summary.kept, summary.failed) == (0, 2, {})
