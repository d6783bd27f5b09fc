"""What `prepare` is asked for, and what that means: the set, its characters, and how they are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from _databacks.dataset import open_dataset
from _databacks.folder import Problem, SourceCharacter, characters_below
from _databacks.layout import DatasetLayout, SetFolder, find_root
from _databacks.names import ANIMERECON, OWN, VROID
from _databacks.prepare_character import DrawSettings
from _databacks.vrm import PAPER_POSES
from _exchange.camera import SPIN12
from _exchange.errors import InputError
from _exchange.protocol import protocol_named
from _exchange.workers import Executor
from _render.choose import Backend, renderer
from _render.kinds import KINDS
from _render.textures import Filter

_SPIN_SUFFIX = "_spin12"
_SPIN_VIEWS = tuple(f"{index:04d}" for index in SPIN12)
DEFAULT_KINDS: Mapping[str, tuple[str, ...]] = {
    OWN: ("ortho", "ortho_xyza", "rgb60_spin12", "xyza60_spin12"),
    VROID: ("ortho", "ortho_xyza", "rgb", "xyza"),
    ANIMERECON: ("ortho", "ortho_xyza", "rgb60", "xyza60"),
}
"""Kinds that each set is drawn in unless others are asked for; `own`: what measuring needs."""


@dataclass(frozen=True, kw_only=True)
class PrepareConfig:
    """How to prepare characters."""

    source: Path
    """Folder of .vrm and .glb files, searched with its subfolders; or a dataset whose raw/ holds the characters."""
    out: Path | None = None
    """Dataset root to write; default: the source where that is a dataset."""
    renderset: str = ""
    """Set to write: own, rutileE or daredemoE; default: the set whose list the source holds, else own."""
    kinds: tuple[str, ...] = ()
    """Kinds of pictures: ortho, ortho_xyza, rgb, xyza, rgb60, xyza60, rgb60_spin12, xyza60_spin12, or all;
    default: what measuring needs, or what the published set has."""
    shading: str = ""
    """paper or corrected; default: corrected for own characters, paper for published sets."""
    backend: Backend = "auto"
    """What draws: cpu, egl, or auto."""
    texture_filter: Filter = "trilinear"
    """Texture filter: trilinear, or mesa as the parity fixtures were drawn."""
    fit: bool = False
    """Shrink characters whose head is larger than the 0.7 m box into it."""
    head_position: tuple[float, float, float] | None = None
    """Head joint in metres for files without a humanoid skeleton (the character faces -z)."""
    workers: int = 0
    """Processes; 0 takes one per processor core."""
    executor: Executor = "local"
    """Where the processes run: local, or ray: the Ray cluster that RAY_ADDRESS names (its machines share the folders
    and the code), else one started here."""
    shard: str = "1/1"
    """Part i of n, written i/n; the parts of one set share its folder and may run at once, also on several machines;
    the one that ends last writes the tables."""
    limit: int = 0
    """Only the first so many characters; 0 takes all."""
    retry_failed: bool = False
    """Try again the characters that failed before."""


@dataclass(frozen=True)
class Plan:
    """What to do: the set, its sources, and what is known to be wrong before anything is drawn.

    `reads_copies`: the sources are the dataset's own copies, so none of them may be removed.
    """

    layout: DatasetLayout
    renderset: str
    characters: Sequence[SourceCharacter]
    problems: Sequence[Problem]
    reads_copies: bool = False

    @property
    def folder(self) -> SetFolder:
        return self.layout.render_set(self.renderset)


def plan_of(config: PrepareConfig) -> Plan:
    """The set and its characters. Raises InputError where the source or an option is wrong."""
    if config.limit < 0 or config.workers < 0:
        raise InputError(f"Expected limit and workers of at least 0, found {config.limit} and {config.workers}.")
    if not config.source.is_dir():
        found = "a file" if config.source.exists() else "no such folder"
        raise InputError(f"Expected a folder of VRM or GLB files, or a dataset, in {config.source}, found {found}.")
    dataset = _dataset_at(config.source)
    renderset = config.renderset or (_set_of(dataset, config) if dataset else OWN)
    if renderset not in DEFAULT_KINDS:
        raise InputError(f"Expected a set out of {', '.join(DEFAULT_KINDS)}, found {renderset!r}.")
    out = config.out or (dataset.root if dataset else None)
    if out is None:
        raise InputError("Expected a dataset folder to write, found none.", next_step="Give one with --out.")
    in_place = dataset is not None and dataset.root.resolve() == out.resolve()
    if renderset == OWN:
        plan = _own(config, DatasetLayout(out), in_place=in_place)
    elif dataset is None:
        raise InputError(
            f"Expected a dataset with a list and raw characters of {renderset} in {config.source}, found none.",
            next_step="Without --renderset any folder of VRM files can be prepared.",
        )
    elif not in_place:
        raise InputError(
            f"Expected to write {renderset} beside its list and raw characters in {dataset.root}, found {out}.",
            next_step="Leave out --out.",
        )
    else:
        plan = _published(dataset, renderset)
    if not plan.characters and not plan.problems:
        raise InputError(f"Expected .vrm or .glb files in {config.source}, found none.")
    return replace(plan, characters=plan.characters[: config.limit]) if config.limit else plan


def _dataset_at(source: Path) -> DatasetLayout | None:
    try:
        return find_root(source)
    except InputError:
        return None


def _set_of(dataset: DatasetLayout, config: PrepareConfig) -> str:
    """The set whose list a dataset holds; another folder to write means a user's own characters.

    So does a folder to write that has no list yet: a run that was interrupted before its tables.
    """
    if config.out is not None and config.out.resolve() != dataset.root.resolve():
        return OWN
    try:
        return open_dataset(dataset.root).renderset
    except InputError:
        if config.out is None:
            raise
        return OWN


def _own(config: PrepareConfig, layout: DatasetLayout, *, in_place: bool) -> Plan:
    """A user's characters; those of a dataset that is prepared again are its own copies.

    Where the folder of characters is given as the dataset to write as well, its files outside the copies come first.
    """
    if not in_place or config.out is not None:
        characters, problems = characters_below(config.source, leave_out=(layout.root / "raw", layout.renders))
        if characters or not in_place:
            return Plan(layout, OWN, characters, problems)
    characters, problems = characters_below(layout.root / "raw" / OWN)
    return Plan(layout, OWN, characters, problems, reads_copies=True)


def _published(layout: DatasetLayout, renderset: str) -> Plan:
    """Listed characters of a published set; those without a file are failures."""
    dataset = open_dataset(layout.root, renderset)
    characters, problems = [], []
    for item in dataset.items():
        path = dataset.character(item)
        file = path.relative_to(layout.root).as_posix()
        if path.is_file():
            characters.append(SourceCharacter(item, path, file))
        else:
            gap = next(gap for gap in dataset.missing_stages([item]) if gap.stage == "character")
            problems.append(Problem(str(item), file, "failed", str(gap)))
    return Plan(layout, renderset, characters, problems)


def settings_of(config: PrepareConfig, renderset: str) -> tuple[DrawSettings, str]:
    """What decides the pictures, and why the back end was chosen."""
    shading = config.shading or ("corrected" if renderset == OWN else "paper")
    drawing = renderer(config.backend)
    settings = DrawSettings(
        renderset=renderset,
        wanted=wanted_views(config.kinds or DEFAULT_KINDS[renderset]),
        shading=protocol_named(shading).shading,
        paper_pose=PAPER_POSES.get(renderset, PAPER_POSES[VROID]),
        back_end="egl" if drawing.name == "egl" else "cpu",
        fit=config.fit,
        head_position=config.head_position,
        texture_filter=config.texture_filter,
    )
    return settings, drawing.reason


def wanted_views(kinds: Sequence[str]) -> dict[str, tuple[str, ...] | None]:
    """View names by kind, None for all: ``rgb60_spin12`` asks for twelve views of `rgb60`, ``all`` for every kind.

    Raises:
        InputError: there is no such kind.
    """
    wanted: dict[str, tuple[str, ...] | None] = dict.fromkeys(KINDS) if "all" in kinds else {}
    for name in kinds:
        if name == "all":
            continue
        kind = name.removesuffix(_SPIN_SUFFIX)
        if kind not in KINDS or (kind != name and KINDS[kind].views != "cam60"):
            known = [*KINDS, *(k + _SPIN_SUFFIX for k in KINDS if KINDS[k].views == "cam60"), "all"]
            raise InputError(f"Expected kinds of pictures out of {', '.join(known)}, found {name!r}.")
        if kind == name:
            wanted[kind] = None
        else:
            wanted.setdefault(kind, _SPIN_VIEWS)
    return {kind: wanted[kind] for kind in KINDS if kind in wanted}
