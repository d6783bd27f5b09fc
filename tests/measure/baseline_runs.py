"""The runs behind the stored baselines, made anew: characters, reconstructions, scores. Nothing of it is random.

``python3 -m tests.measure.baseline_runs FOLDER`` makes all of them below FOLDER and writes the files anew; look at the
difference in git before it is kept. It needs the weights of LPIPS-squeeze and takes about four minutes. A single run
of one's own goes into a baseline with ``python3 -m _scripts.verify RUN --store FILE``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from _databacks.dataset import open_dataset
from _databacks.prepare import PrepareConfig, prepare
from _databacks.sample import prepare_sample
from _exchange.run_folder import RunFolder
from _measure.baseline import BASELINES, write_baseline
from _measure.measure import MeasureConfig, measure
from _measure.scored_run import ScoredRun
from _measure.weights import FOLDERS_VARIABLE, cache_folder
from _methods.generate import GenerateOptions, generate
from tests.shared_data import ROOT

METHODS = ("inflate", "billboard", "mean_head")
"""The methods that learn nothing."""
PROTOCOLS = ("corrected", "paper")
KINDS = ("ortho", "rgb60_spin12")
"""Pictures that are scored, and no others."""
REAL_FOLDERS = ("vrm", "vrm1")
SAMPLE_PART, REAL_PART = 2, 1
"""How many characters of each set a usual run of the tests looks at."""
WHOLE_VARIABLE = "ANIME3D_WHOLE_BASELINES"
"""Set to anything, whole sets are looked at too."""


def environment(cache: Path) -> dict[str, str]:
    """Variables for a cache of one's own, since a kept true surface would hide a change of what makes it.

    Weights are still found in the user's cache, and in the shared data.
    """
    folders = [os.environ.get(FOLDERS_VARIABLE, ""), str(cache_folder()), str(ROOT / "weights")]
    there = os.pathsep.join(folder for folder in folders if folder)
    return {"XDG_CACHE_HOME": str(cache), FOLDERS_VARIABLE: there, "ANIME3D_PROGRESS": "off"}


def wants_whole_sets() -> bool:
    """Whether somebody has the time."""
    return bool(os.environ.get(WHOLE_VARIABLE))


def prepared_sample(root: Path, limit: int) -> Path:
    """The first characters of the sample set, drawn; 0 takes all. Returns the dataset."""
    source = root / f"sample_characters_{limit}"
    config = PrepareConfig(
        source=source, out=root / f"sample_{limit}", kinds=KINDS, backend="cpu", workers=1, limit=limit
    )
    return prepare_sample(config).root


def prepared_real(root: Path, folder: str, limit: int) -> Path:
    """The first real characters of a folder of the shared data, drawn; 0 takes all. Returns the dataset."""
    out = root / f"{folder}_{limit}"
    return prepare(
        PrepareConfig(source=ROOT / folder, out=out, kinds=KINDS, backend="cpu", workers=1, limit=limit)
    ).root


def reconstructed(data: Path, method: str) -> Path:
    """A run of a method on a dataset, with the settings that `generate` has where nothing is said."""
    options = GenerateOptions(out=data.with_name(f"{data.name}-{method}"), method=method)
    return generate(open_dataset(data), options).run.path


def measured(run: Path, protocol: str) -> ScoredRun:
    """Its scores under a protocol. LPIPS is not run where its weights are absent."""
    out = run.with_name(f"{run.name}-{protocol}")
    measure(MeasureConfig(path=run, out=out, protocol=protocol, workers=1, offline=True))
    return ScoredRun.read(RunFolder(out))


def measured_runs(data: Path) -> Iterator[ScoredRun]:
    """All methods under all protocols."""
    for method in METHODS:
        run = reconstructed(data, method)
        yield from (measured(run, protocol) for protocol in PROTOCOLS)


def renew(root: Path) -> None:
    """Make all runs below `root` and write the baselines of the suite."""
    os.environ.update(environment(root / "cache"))
    sample = [run for limit in (SAMPLE_PART, 0) for run in measured_runs(prepared_sample(root, limit))]
    write_baseline(BASELINES / "sample.json", "sample", sample)
    real = [
        run
        for folder in REAL_FOLDERS
        for limit in (REAL_PART, 0)
        for run in measured_runs(prepared_real(root, folder, limit))
    ]
    write_baseline(BASELINES / "real.json", "real", real)


if __name__ == "__main__":
    renew(Path(sys.argv[1]))
