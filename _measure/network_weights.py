"""Reads the weights of metric networks; `weights` says where they lie. Nothing in a file is executed.

Source: spec/measure.md §5.1, §5.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from _exchange.array_archive import read_array_archive
from _exchange.errors import FormatError
from _measure.metrics.description import ClipPrecision, LpipsBackbone, clip_numbers
from _measure.metrics.lpips import LpipsNetwork
from _measure.networks.vit_b32 import PREFIX, ImageEncoder
from _measure.weights import WeightFile, clip_file, lpips_file, lpips_heads_path
from torch_utils.checkpoint import read_checkpoint
from torch_utils.device import device_named

_MOST_ARCHIVE_BYTES = 1 << 30


@dataclass(frozen=True, eq=False)
class NetworkWeights:
    """Parameters of one LPIPS network.

    Attributes:
        tensors: by the names that `LpipsNetwork` expects.
        source: name of the file that the backbone came from.
        sha256: of that file.
    """

    tensors: Mapping[str, torch.Tensor]
    source: str
    sha256: str


def lpips_weights(network: LpipsBackbone, *, may_download: bool = True) -> NetworkWeights:
    """Backbone and heads of an LPIPS network.

    Raises:
        MissingComponent, InputError: as `lpips_file` and `linear_heads`.
        FormatError: a file is damaged.
    """
    return _read_network(network, *lpips_file(network, may_download=may_download))


def lpips_network(network: LpipsBackbone, device: str) -> LpipsNetwork:
    """An LPIPS network on a device, as `device_named` takes it, ready to compare pictures.

    Raises:
        MissingComponent, InputError: as `lpips_weights` and `device_named`.
        FormatError: as `lpips_weights`, or a parameter is missing or misshapen.
    """
    return LpipsNetwork(network, lpips_weights(network).tensors).to(device_named(device))


def clip_encoder(device: str, precision: ClipPrecision) -> ImageEncoder:
    """CLIP ViT-B/32's image encoder on a device.

    Args:
        device: as `device_named` takes it.
        precision: ``device`` computes as the published evaluation did, in half precision on a GPU, embeddings
            included; ``float32`` everywhere in float32.

    Raises:
        MissingComponent: its weights are not here, or the device is not.
        InputError: a file of that name has another digest, or there is no such device.
        FormatError: the file is damaged, or a parameter is missing or misshapen.
    """
    numbers = clip_numbers(precision, device_named(device).type)
    return ImageEncoder(clip_tensors(clip_file()[1]), device, numbers)


def clip_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Parameters of CLIP's image tower, ``visual.…``, in the stored type; the text tower is never copied.

    Args:
        path: the published TorchScript archive, or a file of the same names by `torch.save` or safetensors.

    Raises:
        FormatError: the file is damaged, or of another kind.
    """
    sources = read_checkpoint(path).main.sources
    return {name: source.load() for name, source in sources.items() if name.startswith(PREFIX)}


def linear_heads(network: LpipsBackbone) -> dict[str, torch.Tensor]:
    """The LPIPS v0.1 heads ``lin{i}.model.1.weight``, from the installed `torchmetrics` or a weight folder.

    Raises:
        MissingComponent: neither has them.
    """
    return _read_tensors(lpips_heads_path(network))


def _read_network(network: LpipsBackbone, file: WeightFile, path: Path) -> NetworkWeights:
    if path.suffix == ".npz":
        tensors = _read_squeeze_archive(path)
    else:
        tensors = {k: v for k, v in _read_tensors(path).items() if k.startswith("features.")} | linear_heads(network)
    return NetworkWeights(tensors, file.file_name, file.sha256)


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """A file of `torch.save` whose digest is the manifest's.

    Not through `read_checkpoint`: Python 2 wrote the published heads, as a mapping called with a list of its pairs, and
    that reader refuses all calls of mappings with arguments. With `weights_only`, torch builds plain data alone too.
    """
    try:
        value = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch names no common class for damaged files
        raise FormatError("", "a file of plain tensors", type(error).__name__, file=path) from error
    if not isinstance(value, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in value.values()):
        raise FormatError("", "a mapping from names to tensors", type(value).__name__, file=path)
    return value


def _read_squeeze_archive(path: Path) -> dict[str, torch.Tensor]:
    """Names such as ``net.slice2.3.squeeze.weight`` become torchvision's ``features.3.squeeze.weight``."""
    tensors = {}
    for name, array in read_array_archive(path, most_bytes=_MOST_ARCHIVE_BYTES).items():
        renamed = "features." + name.split(".", 2)[2] if name.startswith("net.slice") else name
        tensors[renamed] = torch.from_numpy(array)
    return tensors
