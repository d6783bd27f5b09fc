"""Items × method → a run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from _databacks.dataset import open_dataset
from _databacks.defaults import SAMPLE_SENTENCE, open_or_prepare_sample
from _exchange.command import Outcome, Verb, main
from _exchange.run_folder import RUNS
from _exchange.workers import available_cores
from _methods.generate import GenerateOptions, Shard, generate
from _methods.interface import DEFAULT_RESOLUTION, MethodSettings


@dataclass(frozen=True, kw_only=True)
class Generate(Verb):
    """Reconstruct every character of a dataset: pictures, position maps and a mesh each, in a run folder.

    A run that was interrupted goes on when the same command is given again.

    Examples:
        python3 -m _scripts.generate                                   sample set, method inflate
        python3 -m _scripts.generate --data _data/mine --method billboard --out runs/flat
    """

    data: Path | None = None
    """Dataset root; default: the sample set, prepared first where needed."""
    method: str = "inflate"
    """Name of the method: inflate, billboard, mean_head, or one of an installed distribution."""
    out: Path | None = None
    """Run folder; default: runs/SET-METHOD."""
    protocol: Literal["paper", "corrected"] | None = None
    """Protocol of the run; default: paper for published sets, corrected for others."""
    limit: int = 0
    """Only the first so many characters; 0 takes all."""
    shard: str = "1/1"
    """Part i of n, written i/n; the parts of one run share its folder."""
    workers: int = 0
    """Processes; 0 takes one per processor core."""
    seed: int = 0
    """Root of all random draws."""
    resolution: int = DEFAULT_RESOLUTION
    """Steps of meshes along the side of the working cube."""
    device: str = "cpu"
    """Where networks run: cpu or cuda."""
    backend: Literal["cpu", "egl", "auto"] = "cpu"
    """What draws meshes; cpu repeats to the bit."""
    resume: bool = False
    """Only go on with a run that is there; refused where there is none."""
    overwrite: bool = False
    """Delete the run in --out first."""
    retry_failed: bool = False
    """Try again the characters that failed before."""


def run(options: Generate) -> Outcome:
    """Reconstruct, and say what was made, what was there, and what failed and why."""
    dataset = open_dataset(options.data) if options.data else open_or_prepare_sample()
    existing: Literal["resume", "overwrite", "require"] = "resume"
    if options.resume or options.overwrite:
        existing = "overwrite" if options.overwrite else "require"
    summary = generate(
        dataset,
        GenerateOptions(
            out=options.out or RUNS / f"{options.data.name if options.data else 'sample'}-{options.method}",
            method=options.method,
            protocol=options.protocol or "",
            settings=MethodSettings(seed=options.seed, device=options.device, back_end=options.backend),
            resolution=options.resolution,
            limit=options.limit,
            shard=Shard.parse(options.shard),
            workers=options.workers or available_cores(),
            existing=existing,
            retry_failed=options.retry_failed,
        ),
    )
    lines = [
        *([] if options.data else [f"{SAMPLE_SENTENCE} Method: {options.method}."]),
        f"{summary.run.path}: {summary.made} made, {summary.kept} there already, {len(summary.failed)} failed.",
        *(f"  failed: {item}: {reason}" for item, reason in summary.failed.items()),
    ]
    data = {"run": str(summary.run.path), "made": summary.made, "kept": summary.kept, "failed": dict(summary.failed)}
    return Outcome("\n".join(lines), data)


if __name__ == "__main__":
    main(Generate, run)
