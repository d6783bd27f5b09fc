"""From what a person asks for to a run: which dataset, which method, which folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from _databacks.dataset import open_dataset
from _databacks.defaults import current_sample
from _exchange.errors import InputError
from _exchange.run_folder import RUNS
from _exchange.workers import available_cores
from _methods.generate import GenerateOptions, GenerateSummary, OtherRun, Shard, generate
from _methods.interface import MethodSettings

METHOD_OPTIONS = ("checkpoint", "line_filler", "feature_extractor", "feature_pca", "engine")
"""Fields of `GenerateConfig` that go to the method as its options."""


@dataclass(frozen=True, kw_only=True)
class GenerateConfig:
    """What to reconstruct and how."""

    data: Path | None = None
    """Dataset root; default: the sample set, prepared first where needed."""
    method: str = "inflate"
    """Name of the method: inflate, billboard, mean_head, panic3d, or one of an installed distribution."""
    checkpoint: str = ""
    """panic3d: the generator, as released (.pkl) or converted (.safetensors); default: below _data/weights/panic3d."""
    line_filler: str = ""
    """panic3d: checkpoint of the line filler; default as for --checkpoint; none leaves the lines of drawings."""
    feature_extractor: str = ""
    """panic3d: checkpoint of the feature extractor, where the model needs one; default as for --checkpoint."""
    feature_pca: str = ""
    """panic3d: its principal components (pca.pkl or .safetensors); default as for --checkpoint."""
    engine: Literal["", "fast", "plain"] = ""
    """panic3d: how radiance fields are evaluated; default: fast. Plain is the slow twin that it is checked against."""
    out: Path | None = None
    """Run folder; default: runs/DATASET-METHOD, or a numbered one beside it where that is a run of another kind."""
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
    resolution: int = 0
    """Steps of meshes along the side of the working cube; 0 takes the method's own (panic3d 256, baselines 192)."""
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


def generate_as_asked(config: GenerateConfig) -> GenerateSummary:
    """Make (or finish) the run that a person asked for; raises as `open_dataset` and `generate` do."""
    dataset = open_dataset(config.data) if config.data else current_sample()
    usual = RUNS / f"{config.data.resolve().name if config.data else 'sample'}-{config.method}"
    options = GenerateOptions(
        out=config.out or usual,
        method=config.method,
        protocol=config.protocol or "",
        settings=MethodSettings(
            seed=config.seed, device=config.device, back_end=config.backend, options=_method_options(config)
        ),
        resolution=config.resolution,
        limit=config.limit,
        shard=Shard.parse(config.shard),
        workers=config.workers or available_cores(),
        existing=_existing(config),
        retry_failed=config.retry_failed,
    )
    number = 1
    while True:
        try:
            return generate(dataset, options)
        except OtherRun:
            if config.out is not None or config.resume:
                raise
        number += 1
        options = replace(options, out=usual.with_name(f"{usual.name}-{number}"))


def _method_options(config: GenerateConfig) -> dict[str, object]:
    """What was asked of the method itself; a method refuses what it does not know."""
    asked = {name: getattr(config, name) for name in METHOD_OPTIONS}
    return {name: value for name, value in asked.items() if value}


def _existing(config: GenerateConfig) -> Literal["resume", "overwrite", "require"]:
    if config.resume and config.overwrite:
        raise InputError("Expected --resume or --overwrite, found both.")
    if config.overwrite:
        return "overwrite"
    return "require" if config.resume else "resume"
