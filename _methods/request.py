"""From what a person asks for to a run: which dataset, which method, which folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from _databacks.dataset import Dataset, open_dataset
from _databacks.defaults import SAMPLE_SENTENCE, animerecon, animerecon_is_here, current_sample
from _exchange.errors import InputError
from _exchange.run_folder import RUNS
from _exchange.shard import Shard
from _exchange.workers import Executor, available_cores
from _methods.generate import GenerateOptions, GenerateSummary, OtherRun, generate
from _methods.interface import MethodSettings
from _methods.panic3d_files import published_weights_are_here

BASELINE, PUBLISHED_METHOD = "inflate", "panic3d"
PUBLISHED_SENTENCE = f"This takes AnimeRecon and the published weights. Method: {PUBLISHED_METHOD}."
METHOD_OPTIONS = (
    "checkpoint",
    "line_filler",
    "feature_extractor",
    "feature_pca",
    "engine",
    "surface_search",
    "largest_component",
)
"""Fields of `GenerateConfig` that go to the method as its options."""


@dataclass(frozen=True, kw_only=True)
class GenerateConfig:
    """What to reconstruct and how."""

    data: Path | None = None
    """Dataset root; default: AnimeRecon where the published weights are there too, else the sample set."""
    method: str = ""
    """inflate, billboard, mean_head, panic3d, or one of an installed distribution; default: panic3d on AnimeRecon as
    above, else inflate."""
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
    """Part i of n, written i/n; the parts of one run share its folder and may run at once, also on several machines."""
    workers: int = 0
    """Processes; 0 takes one per processor core."""
    executor: Executor = "local"
    """Where the processes run: local, or ray: the Ray cluster that RAY_ADDRESS names (its machines share the folders
    and the code), else one started here."""
    seed: int = 0
    """Root of all random draws."""
    resolution: int = 0
    """Steps of meshes along the side of the working cube; 0 takes the method's own (panic3d 256, baselines 192)."""
    surface_search: Literal["", "everywhere", "near"] = ""
    """panic3d, corrected: look for the surface everywhere, or only near what a coarse lattice shows of it; that halves
    the time and may lose strands thinner than 11 mm that hang alone; default: everywhere."""
    largest_component: bool = False
    """panic3d: keep only the connected piece of the surface that has the largest area."""
    textured: bool = False
    """panic3d: also write mesh_textured.glb, a coarser surface with a texture."""
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


@dataclass(frozen=True)
class Choice:
    """What a run is made of.

    Attributes:
        dataset: the characters.
        name: of the dataset, part of the usual folder's name.
        method: registry name.
        sentence: what to say of a choice that nobody asked for; empty otherwise.
    """

    dataset: Dataset
    name: str
    method: str
    sentence: str


def generate_as_asked(config: GenerateConfig) -> GenerateSummary:
    """Make (or finish) the run that a person asked for; raises as `open_dataset` and `generate` do."""
    choice = choose(config)
    usual = RUNS / f"{choice.name}-{choice.method}"
    options = GenerateOptions(
        out=config.out or usual,
        method=choice.method,
        protocol=config.protocol or "",
        settings=MethodSettings(
            seed=config.seed, device=config.device, back_end=config.backend, options=_method_options(config)
        ),
        resolution=config.resolution,
        textured=config.textured,
        limit=config.limit,
        shard=Shard.parse(config.shard),
        workers=config.workers or available_cores(),
        executor=config.executor,
        existing=_existing(config),
        retry_failed=config.retry_failed,
    )
    number = 1
    while True:
        try:
            return replace(generate(choice.dataset, options), taken=choice.sentence)
        except OtherRun:
            if config.out is not None or config.resume:
                raise
        number += 1
        options = replace(options, out=usual.with_name(f"{usual.name}-{number}"))


def choose(config: GenerateConfig) -> Choice:
    """The dataset and the method: those asked for, or what is here. Raises as `open_dataset` does."""
    if config.data is not None:
        return Choice(open_dataset(config.data), config.data.resolve().name, config.method or BASELINE, "")
    wants_published = config.method in ("", PUBLISHED_METHOD) and not config.checkpoint
    if wants_published and animerecon_is_here() and published_weights_are_here():
        return Choice(animerecon(), "animerecon", PUBLISHED_METHOD, PUBLISHED_SENTENCE)
    method = config.method or BASELINE
    return Choice(current_sample(), "sample", method, f"{SAMPLE_SENTENCE} Method: {method}.")


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
