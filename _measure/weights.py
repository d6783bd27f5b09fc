"""The only place that looks for the weights of metric networks.

Order: the folders in `ANIME3D_WEIGHTS`, the user's cache, and for small files the public address of the manifest
(`_databacks.manifest`, the one home of addresses and digests). Large files come only with
``python3 -m _scripts.download <name>``. A file counts when its SHA-256 is the manifest's; a wrong digest is refused,
never used. No file is read here: `network_weights` does.
"""

from __future__ import annotations

from pathlib import Path

from _databacks.download import Conditions, download
from _databacks.licences import require_acceptance
from _databacks.manifest import ManifestFile as WeightFile
from _databacks.manifest import manifest
from _databacks.weight_folders import FOLDERS_VARIABLE, cache_folder, find_file, search_folders, user_cache
from _exchange.errors import InputError, MissingComponent
from _measure.metrics.description import LpipsBackbone

LPIPS_SQUEEZE = manifest().file("lpips-squeeze")
SQUEEZENET = manifest().file("squeezenet1_1")
ALEXNET = manifest().file("alexnet")
VGG16 = manifest().file("vgg16")
CLIP_VIT_B32 = manifest().file("clip-vit-b32")
_IN_PASSING = Conditions(timeout_seconds=10.0, tries=2)
"""Who measures waits less than who asked for a download."""
_BACKBONES = {"alex": (ALEXNET,), "vgg": (VGG16,), "squeeze": (LPIPS_SQUEEZE, SQUEEZENET)}


def weight_file_named(name: str) -> WeightFile:
    """The manifest's file called `name`.

    Raises:
        InputError: there is none.
    """
    return manifest().file(name)


def find(file: WeightFile) -> Path | None:
    """Its path in the first folder that holds it; None where no folder does.

    Raises:
        InputError: a file of that name has another digest.
    """
    return find_file(file, search_folders())


def lpips_file(network: LpipsBackbone, *, may_download: bool = True) -> tuple[WeightFile, Path]:
    """The backbone file of an LPIPS network and where it lies, without reading it.

    Args:
        network: which backbone.
        may_download: whether a small file may be fetched now.

    Raises:
        MissingComponent: no folder holds it and it cannot or may not be fetched now, or its linear heads are absent.
        InputError: a file of the right name has the wrong digest.
    """
    file, path = _first_of(_BACKBONES[network], f"LPIPS-{network}", may_download)
    if path.suffix != ".npz":  # archives hold their own heads
        lpips_heads_path(network)
    return file, path


def clip_file(*, may_download: bool = True) -> tuple[WeightFile, Path]:
    """The file of CLIP's image encoder and where it lies, without reading it; arguments and errors of `lpips_file`."""
    return _first_of((CLIP_VIT_B32,), "CLIP", may_download)


def lpips_heads_path(network: LpipsBackbone) -> Path:
    """Where the LPIPS v0.1 heads of a network lie: in the installed `torchmetrics`, or in a weight folder.

    Raises:
        MissingComponent: neither has them.
        InputError: a file of the right name in a weight folder has the wrong digest.
    """
    found = find(manifest().file(f"lpips-heads-{network}"))
    if found is None:
        raise MissingComponent(
            f"Expected the linear heads of LPIPS-{network}, found them neither in torchmetrics nor in a weight folder.",
            next_step="Run make/setup",
        )
    return found


def _first_of(candidates: tuple[WeightFile, ...], what: str, may_download: bool) -> tuple[WeightFile, Path]:
    """The first candidate that a folder holds; the last one is fetched if that is allowed and it is a small one."""
    for file in candidates:
        path = find(file)
        if path is not None:
            return file, path
    fetched = candidates[-1]
    if may_download and fetched.on_first_need:
        return fetched, _fetch(fetched)
    raise MissingComponent(
        f"Expected the weights {fetched.file_name} of {what}, found them in no folder of "
        f"{FOLDERS_VARIABLE} and not in the cache.",
        next_step=f"Run {fetched.command}",
    )


def _fetch(file: WeightFile) -> Path:
    """Show the licence and download; a cache that cannot be written is no reason to stop measuring."""
    require_acceptance(file, user_cache(), accepted=False, ask=None)  # only shown: nothing is asked of small files
    try:
        return download(file, cache_folder(), _IN_PASSING)
    except InputError as error:
        raise MissingComponent(error.message, next_step=f"Run {file.command} --to FOLDER") from error
