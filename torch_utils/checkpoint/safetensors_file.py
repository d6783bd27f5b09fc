"""Modules as safetensors files whose header also holds their configuration, so that one file says everything.

The configuration is JSON text in the header's metadata, under `CONFIG_KEY`. Files of others without it are read too:
their configuration is a ``.json`` of the same name beside them, or empty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from _exchange import atomic
from torch_utils.checkpoint.errors import CheckpointError
from torch_utils.checkpoint.record import Checkpoint, ModuleRecord
from torch_utils.checkpoint.tensors import TensorSource

CONFIG_KEY = "anime3d_checkpoint"
CONFIG_VERSION = 1
MAX_CONFIG_BYTES = 16 << 20


def is_safetensors(head: bytes, file_bytes: int) -> bool:
    """Whether a file starts with the length of a JSON header and the header."""
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= file_bytes - 8


def write_safetensors(checkpoint: Checkpoint, name: str, path: Path) -> None:
    """Write one module and its configuration; the file appears whole or not at all.

    Raises:
        CheckpointError: the checkpoint has no module of this name.
    """
    record = checkpoint.module(name)
    config = {
        "version": CONFIG_VERSION,
        "module": name,
        "class_name": record.class_name,
        "order": list(record.sources),
        "init_kwargs": dict(record.init_kwargs),
        "attributes": dict(record.attributes),
        "training_set_kwargs": dict(checkpoint.training_set_kwargs),
    }
    atomic.write_bytes(path, save(record.state_dict, {CONFIG_KEY: json.dumps(config)}))


def read_safetensors(path: Path) -> Checkpoint:
    """The module of a safetensors file.

    Raises:
        CheckpointError: the file or its configuration is damaged.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as stream:
            config = _config((stream.metadata() or {}).get(CONFIG_KEY), path)
            # A copy: what the library gives lies in the mapped file, which may change.
            tensors = {name: stream.get_tensor(name).clone() for name in stream.offset_keys()}
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, OverflowError) as error:
        raise CheckpointError("", "a safetensors file", str(error)) from error
    order = config.get("order")
    if isinstance(order, list) and all(isinstance(name, str) for name in order) and sorted(order) == sorted(tensors):
        tensors = {name: tensors[name] for name in order}
    name = config.get("module", "state_dict")
    record = ModuleRecord(
        name if isinstance(name, str) else "state_dict",
        {key: TensorSource.of(tensor) for key, tensor in tensors.items()},
        str(config.get("class_name", "")),
        _mapping(config, "init_kwargs"),
        _mapping(config, "attributes"),
    )
    return Checkpoint("safetensors", {record.name: record}, _mapping(config, "training_set_kwargs"))


def _config(text: str | None, path: Path) -> Mapping[str, Any]:
    """The configuration in the header, or that of the file beside, or an empty one."""
    beside = path.with_suffix(".json")
    if text is None and beside.is_file():
        if beside.stat().st_size > MAX_CONFIG_BYTES:
            raise CheckpointError(beside.name, f"at most {MAX_CONFIG_BYTES} bytes", f"{beside.stat().st_size}")
        text = beside.read_text(encoding="utf-8")
    try:
        config = json.loads(text or "{}")
    except RecursionError as error:
        raise ValueError("a configuration nested too deep") from error
    if not isinstance(config, dict) or config.get("version", CONFIG_VERSION) != CONFIG_VERSION:
        raise ValueError(f"a configuration that is no object of version {CONFIG_VERSION}")
    return config


def _mapping(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = config.get(name, {})
    if not isinstance(value, dict):
        raise CheckpointError(name, "an object", type(value).__name__)
    return value
