"""Damaged checkpoints of every format: each is read, or refused in one sentence; nothing crashes, nothing swells."""

from __future__ import annotations

import collections
import io
import os
import pickle
import random
import resource
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from tests.torch_utils.checkpoint_files import easy_dict, module_of, snapshot_bytes, stored, view
from torch_utils.checkpoint import CheckpointError, read_checkpoint, write_safetensors

MUTANTS = int(os.environ.get("CHECKPOINT_MUTANTS", "20000"))
"""More for a long run."""
SECONDS_PER_FILE = 5.0
MAX_GROWTH_BYTES = 200 << 20
INTERESTING = (
    b"\x00",
    b"\xff",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x80",
    b"(",
    b".",
    b"R",
    b"b",
    b"Q",
    b"\x93",
    b"q\x00",
)


def saved(value: object, archive: bool, protocol: int) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=archive, pickle_protocol=protocol)
    return stream.getvalue()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, bytes]]:
    """Suffix and content of small valid files."""
    storage = stored(torch.arange(4.0))
    weights = {"a": view(storage, 0, (2, 2), (2, 1)), "b": view(storage, 1, (), ())}
    module = module_of(
        weights, {"c": None}, _init_kwargs=easy_dict(z=1, gain=np.float32(2)), rendering_kwargs={"d": 1.5}
    )
    fitted = PCA(2).fit(np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32))
    state = {"state_dict": {"g.w": torch.arange(3.0), "g.h": torch.ones(2).half()}, "epoch": 3}
    found = [(".pkl", snapshot_bytes(protocol, G_ema=module)) for protocol in (2, 3, 4, 5)]
    found += [(".ckpt", saved(state, True, 2)), (".pt", saved(state, True, 4)), (".pth", saved(state, False, 2))]
    found += [(".pkl", pickle.dumps(fitted, protocol)) for protocol in (0, 2, 5)]
    folder = tmp_path_factory.mktemp("valid")
    (folder / "s.pkl").write_bytes(found[0][1])
    write_safetensors(read_checkpoint(folder / "s.pkl"), "G_ema", folder / "s.safetensors")
    found.append((".safetensors", (folder / "s.safetensors").read_bytes()))
    for suffix, content in found:
        (folder / f"valid{suffix}").write_bytes(content)
        assert read_checkpoint(folder / f"valid{suffix}").main.state_dict
    return found


def mutated(content: bytes, others: list[tuple[str, bytes]], chance: random.Random) -> bytes:
    """The content with a few changes: bits, bytes, pieces left out, put in, repeated, or taken from another file."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        place = chance.randrange(len(data) + 1)
        kind = chance.randrange(7)
        if kind == 0 and place < len(data):
            data[place] ^= 1 << chance.randrange(8)
        elif kind == 1 and place < len(data):
            data[place] = chance.randrange(256)
        elif kind == 2:
            del data[place : place + chance.choice((1, 2, 8, 64))]
        elif kind == 3:
            data[place:place] = chance.choice(INTERESTING)
        elif kind == 4:
            piece = chance.choice(INTERESTING)
            data[place : place + len(piece)] = piece
        elif kind == 5:
            data[place:place] = data[place : place + chance.choice((1, 4, 32, 300))]
        else:
            other = chance.choice(others)[1]
            start = chance.randrange(len(other))
            data[place : place + chance.choice((0, 16))] = other[start : start + chance.choice((4, 32, 300))]
    return bytes(data)


def rewritten(targets: dict[Path, io.FileIO], path: Path, content: bytes) -> None:
    """Replace what a file holds; kept open, as opening it takes longer than all the rest."""
    if path not in targets:
        targets[path] = io.FileIO(path, "w")
    target = targets[path]
    target.seek(0)
    target.truncate()
    target.write(content)


def refusal(path: Path) -> str:
    """The sentence that refuses a file; empty where all its tensors were read."""
    try:
        checkpoint = read_checkpoint(path)
    except CheckpointError as error:
        return str(error)
    for module in checkpoint.modules.values():
        assert all(isinstance(tensor, torch.Tensor) for tensor in module.state_dict.values())
    return ""


@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # by the standard library, about mutated text
def test_mutants_are_read_or_refused(files, tmp_path: Path) -> None:
    chance = random.Random(20_26)
    outcomes: collections.Counter[str] = collections.Counter()
    targets: dict[Path, io.FileIO] = {}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(MUTANTS):
        suffix, content = files[number % len(files)]
        path = tmp_path / f"m{suffix}"
        rewritten(targets, path, mutated(content, files, chance))
        started = time.process_time()
        sentence = refusal(path)
        assert sentence.isprintable(), number
        assert len(sentence) < 1000, number
        outcomes[f"{'refused' if sentence else 'read'} {suffix}"] += 1
        assert time.process_time() - started < SECONDS_PER_FILE, number
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for target in targets.values():
        target.close()
    assert (after - before) * 1024 < MAX_GROWTH_BYTES
    assert sum(outcomes.values()) == MUTANTS
    for suffix in {suffix for suffix, _ in files}:  # changes reach both what matters and what does not
        assert outcomes[f"read {suffix}"] > MUTANTS / 2000
        assert outcomes[f"refused {suffix}"] > MUTANTS / 200
