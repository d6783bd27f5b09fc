"""Read a checkpoint of any kind; what kind it is, its first bytes say."""

from __future__ import annotations

import stat
from pathlib import Path

from _exchange.errors import FormatError, InputError
from _exchange.pickle_machine import UnlistedGlobal
from torch_utils.checkpoint.errors import CheckpointError
from torch_utils.checkpoint.legacy import is_legacy_file
from torch_utils.checkpoint.pca import is_pca, read_pca
from torch_utils.checkpoint.record import Checkpoint
from torch_utils.checkpoint.safetensors_file import is_safetensors, read_safetensors
from torch_utils.checkpoint.snapshot import read_snapshot
from torch_utils.checkpoint.torch_archive import TorchArchive
from torch_utils.checkpoint.torch_file import read_torch_archive, read_torch_stream
from torch_utils.checkpoint.torchscript import read_torchscript

MAX_FILE_BYTES = 4 << 30
_HEAD_BYTES = 512
_TENSORS_ALONE = (
    "If you trust whoever wrote the file, open it with the program that it comes from and save its tensors alone."
)
"""The next step where a file holds more than data."""
_PACKED = {
    b"\x1f\x8b": "gzip-compressed data: gunzip it first",
    b"BZh": "bzip2-compressed data: unpack it first",
    b"\xfd7zXZ": "xz-compressed data: unpack it first",
}


def read_checkpoint(path: Path | str) -> Checkpoint:
    """The modules of a checkpoint file; nothing in it is ever executed.

    Read are snapshot pickles (spec/generator.md §9), files of `torch.save` in both forms, Lightning's among them
    (spec/linefill.md §7, spec/features.md §3), TorchScript archives, pickles of scikit-learn's PCA (spec/features.md
    §2), and safetensors. The file is checked whole; the elements of a module are copied when its `state_dict` is first
    asked for, and until then the checkpoint holds the file's bytes. Tensors of all modules take at most four times the
    bytes of the file and a megabyte (`plain.Budget`).

    Args:
        path: a regular file of at most `MAX_FILE_BYTES`.

    Raises:
        InputError: there is no such file.
        CheckpointError: it is damaged, too large, of another kind, or names a global that is not on the list.
    """
    path = Path(path)
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise CheckpointError("", "a regular file", "a folder or a device", file=path)
        if state.st_size > MAX_FILE_BYTES:
            raise CheckpointError("", f"at most {MAX_FILE_BYTES} bytes", f"{state.st_size} bytes", file=path)
        with open(path, "rb", buffering=0) as stream:  # buffered, a whole read would hold the file twice
            head = stream.read(_HEAD_BYTES)
            if path.suffix == ".safetensors" or is_safetensors(head, state.st_size):
                return read_safetensors(path)
            stream.seek(0)
            content = stream.read()
    except FileNotFoundError as error:
        raise InputError(f"Expected a checkpoint at {path}, found no file.") from error
    except OSError as error:
        raise InputError(f"Expected to read the checkpoint {path}, found: {error.strerror or error}.") from error
    except CheckpointError as error:
        raise error.in_file(path) from error
    try:
        return _read(head, memoryview(content))
    except FormatError as error:
        advice = _TENSORS_ALONE if isinstance(error, UnlistedGlobal) else ""
        raise CheckpointError(error.place, error.expected, error.found, file=path, next_step=advice) from error
    except ValueError as error:
        raise CheckpointError("", "a checkpoint", str(error), file=path) from error


def _read(head: bytes, data: memoryview) -> Checkpoint:
    for magic, what in _PACKED.items():
        if head.startswith(magic):
            raise CheckpointError("", "a checkpoint", what)
    if head.startswith(b"PK\3\4"):
        archive = TorchArchive.of(data)
        return read_torchscript(archive) if archive.is_program else read_torch_archive(archive)
    if is_legacy_file(head):
        return read_torch_stream(data)
    if is_pca(head):
        return read_pca(data)
    return read_snapshot(data)
