"""The only place that looks for the weights of metric networks, and the only one that fetches them.

Order: the folders in `ANIME3D_WEIGHTS` (separated as `PATH` is), the user's cache, and for small files the public
address of the manifest. Large files come only with ``python3 -m _scripts.download <name>``. A file counts when its
name and its SHA-256 are those of the manifest; a wrong digest is refused, never used. No file is read here:
`network_weights` does. Source: the manifest's addresses and digests are PyTorch's and OpenAI's own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from _exchange.atomic import TEMPORARY_PREFIX
from _exchange.digest import sha256_of_file
from _exchange.errors import InputError, MissingComponent
from _exchange.progress import progress
from _measure.metrics.description import LpipsBackbone

FOLDERS_VARIABLE = "ANIME3D_WEIGHTS"
_PIECE = 2**20
_CONNECT_SECONDS = 10.0
_SMALL_BYTES = 16 * 2**20
"""Files up to this size are fetched when they are first needed."""


@dataclass(frozen=True)
class WeightFile:
    """One file of the manifest.

    Attributes:
        name: what `fetch` and the command line call it.
        file_name: its name in a folder.
        sha256: of its bytes.
        size: bytes, approximate where the publisher states no size.
        url: public address; empty for a file that is only found in folders.
        licence: of the weights.
    """

    name: str
    file_name: str
    sha256: str
    size: int
    url: str
    licence: str

    @property
    def is_small(self) -> bool:
        """Whether it is fetched without being asked for."""
        return bool(self.url) and self.size <= _SMALL_BYTES

    @property
    def command(self) -> str:
        """What brings it."""
        return f"python3 -m _scripts.download {self.name}"


_PYTORCH = "https://download.pytorch.org/models/"
LPIPS_SQUEEZE = WeightFile(
    "lpips-squeeze",
    "lpips_v0.1_squeeze_full.npz",
    "649bd702d4352fa3fd40bb24815ba195ae236d488d6615606d4a0afe1ac2d53c",
    2_915_752,
    "",
    "MIT / BSD-2-Clause / BSD-3-Clause",
)
SQUEEZENET = WeightFile(
    "squeezenet1_1",
    "squeezenet1_1-b8a52dc0.pth",
    "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
    5_000_000,
    _PYTORCH + "squeezenet1_1-b8a52dc0.pth",
    "BSD-3-Clause",
)
ALEXNET = WeightFile(
    "alexnet",
    "alexnet-owt-7be5be79.pth",
    "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    244_408_911,
    _PYTORCH + "alexnet-owt-7be5be79.pth",
    "BSD-3-Clause",
)
VGG16 = WeightFile(
    "vgg16",
    "vgg16-397923af.pth",
    "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    553_433_881,
    _PYTORCH + "vgg16-397923af.pth",
    "BSD-3-Clause",
)
CLIP_VIT_B32 = WeightFile(
    "clip-vit-b32",
    "ViT-B-32.pt",
    "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
    353_976_522,
    "https://openaipublic.azureedge.net/clip/models/"
    "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/ViT-B-32.pt",
    "MIT",
)
MANIFEST = (LPIPS_SQUEEZE, SQUEEZENET, ALEXNET, VGG16, CLIP_VIT_B32)
_HEADS = {
    "alex": "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    "vgg": "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
    "squeeze": "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76",
}
"""SHA-256 of the LPIPS v0.1 linear heads."""
_BACKBONES = {"alex": (ALEXNET,), "vgg": (VGG16,), "squeeze": (LPIPS_SQUEEZE, SQUEEZENET)}


def search_folders() -> tuple[Path, ...]:
    """Where weights are looked for, in order; folders need not exist."""
    given = os.environ.get(FOLDERS_VARIABLE, "")
    return (*(Path(folder) for folder in given.split(os.pathsep) if folder), cache_folder())


def cache_folder() -> Path:
    """The user's cache of weights (XDG base directories)."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "anime3d" / "weights"


def weight_file_named(name: str) -> WeightFile:
    """The manifest's entry called `name`.

    Raises:
        InputError: there is none.
    """
    for file in MANIFEST:
        if file.name == name:
            return file
    known = ", ".join(file.name for file in MANIFEST if file.url)
    raise InputError(f"Expected weights out of {known}, found {name!r}.")


def find(file: WeightFile) -> Path | None:
    """Its path in the first folder that holds a file of its name; None where no folder does.

    Raises:
        InputError: a file of that name has another digest.
    """
    return _find_named(file.file_name, file.sha256)


def fetch(name: str) -> Path:
    """Bring a file of the manifest into the user's cache, with a progress bar; a file already found is kept.

    Raises:
        InputError: the manifest has no such file, or what came has another digest.
        MissingComponent: the file has no public address, or the address cannot be reached.
    """
    file = weight_file_named(name)
    found = find(file)
    return found if found is not None else download(file, cache_folder())


def download(file: WeightFile, folder: Path) -> Path:
    """Fetch `file` from its address into `folder`, checked before it gets its name; raises as `fetch` does."""
    by_hand = f"Put {file.file_name} into a folder named in {FOLDERS_VARIABLE}."
    if not file.url:
        raise MissingComponent(
            f"Expected weights {file.name}, found none, and they have no address.", next_step=by_hand
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _download_checked(file, folder)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise MissingComponent(
            f"Expected to download {file.url}, found no way to it ({reason}).",
            next_step=f"Run {file.command} where there is a network. Or: {by_hand}",
        ) from error
    return folder / file.file_name


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
    digest = _HEADS[network]
    spec = importlib.util.find_spec("torchmetrics")  # finds the folder without importing the package
    for root in (spec.submodule_search_locations or []) if spec else []:
        path = Path(root) / "functional" / "image" / "lpips_models" / f"{network}.pth"
        if path.is_file() and sha256_of_file(path) == digest:
            return path
    found = _find_named(f"lpips_v0.1_lin_{network}.pth", digest)
    if found is None:
        raise MissingComponent(
            f"Expected the linear heads of LPIPS-{network}, found them neither in torchmetrics nor in a weight folder.",
            next_step="Run make/setup",
        )
    return found


def _first_of(candidates: tuple[WeightFile, ...], what: str, may_download: bool) -> tuple[WeightFile, Path]:
    """The first candidate that a folder holds; the last one is fetched if that is allowed and it is small."""
    for file in candidates:
        path = find(file)
        if path is not None:
            return file, path
    fetched = candidates[-1]
    if may_download and fetched.is_small:
        return fetched, download(fetched, cache_folder())
    raise MissingComponent(
        f"Expected the weights {fetched.file_name} of {what}, found them in no folder of "
        f"{FOLDERS_VARIABLE} and not in the cache.",
        next_step=f"Run {fetched.command}",
    )


def _find_named(file_name: str, sha256: str) -> Path | None:
    for folder in search_folders():
        path = folder / file_name
        if path.is_file():
            digest = sha256_of_file(path)
            if digest != sha256:
                raise InputError(
                    f"Expected SHA-256 {sha256} of the weights {path}, found {digest}.",
                    next_step="Replace or remove that file",
                )
            return path
    return None


def _download_checked(file: WeightFile, folder: Path) -> None:
    """Fetch into a temporary file, which gets its name only when its digest is right."""
    temporary = folder / f"{TEMPORARY_PREFIX}{os.getpid()}-{file.file_name}"
    try:
        digest = _stream(file, temporary)
        if digest != file.sha256:
            raise InputError(f"Expected SHA-256 {file.sha256} from {file.url}, found {digest}; the file was not kept.")
        os.replace(temporary, folder / file.file_name)
    finally:
        temporary.unlink(missing_ok=True)


def _stream(file: WeightFile, target: Path) -> str:
    """Write the bytes behind the address to `target` and return their SHA-256."""
    digest = hashlib.sha256()
    with urllib.request.urlopen(file.url, timeout=_CONNECT_SECONDS) as source, open(target, "wb") as stream:
        pieces = -(-int(source.headers.get("Content-Length") or file.size) // _PIECE)
        with progress(f"downloading {file.file_name} ({file.licence})", pieces) as shown:
            while piece := source.read(_PIECE):
                digest.update(piece)
                stream.write(piece)
                shown.advance()
        stream.flush()
        os.fsync(stream.fileno())
    return digest.hexdigest()
