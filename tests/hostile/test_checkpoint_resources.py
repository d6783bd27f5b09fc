"""Small checkpoints that would take much time or memory are refused, or cost what their bytes cost."""

from __future__ import annotations

import io
import pickle
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.hostile.checkpoint_attacks import (
    archive,
    call,
    doubling,
    snapshot,
    state_dict_pickle,
    storage_id,
    text,
)
from tests.torch_utils.checkpoint_files import (
    Call,
    Named,
    New,
    easy_dict,
    module_of,
    reading,
    storage_stream,
    stored,
    view,
    written,
)
from torch_utils.checkpoint import CheckpointError, legacy, plain

SECONDS = 8.0
"""Each attack runs for minutes to years, or takes gigabytes, where it is not held."""
HEAD = b"\x80\x04"
PERSISTENT = "torch_utils.persistence", "_reconstruct_persistent_obj"


def int4(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def long4(value: int) -> bytes:
    octets = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8b" + struct.pack("<i", len(octets)) + octets


def bytes_of(content: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(content)) + content


def meta(**changes: bytes) -> bytes:
    """Opcodes of a persistent object, some entries replaced by opcodes."""
    entries = {"type": text("class"), "version": b"K\6", "module_src": text(""), "class_name": text("A"), "state": b"}"}
    return b"}(" + b"".join(text(name) + value for name, value in (entries | changes).items()) + b"u"


def branching_modules(levels: int) -> bytes:
    """A module that holds the same module twice, and so on: 2^levels names."""
    module = module_of({"w": view(stored(torch.ones(1)), 0, (1,), (1,))})
    for _ in range(levels):
        module = module_of({}, _modules={"a": module, "b": module})
    return snapshot(module)


def nested_modules(levels: int) -> bytes:
    content = call(*PERSISTENT, meta())
    for _ in range(levels):
        content = call(*PERSISTENT, meta(state=b"}" + text("_modules") + b"}" + text("m") + content + b"ss"))
    return HEAD + b"}" + text("G") + content + b"s."


def module_that_holds_itself() -> bytes:
    holder: dict = {}
    module = New(Named("training.triplane", "OSGDecoder"), {"_modules": holder})
    holder["a"] = holder["b"] = module
    return snapshot(module)


def doubling_lists(levels: int = 60) -> list:
    value: list = []
    for _ in range(levels):
        value = [value, value]
    return value


def many_names() -> bytes:
    """Hundreds of modules that share one mapping of hundreds of tensors."""
    tensor = view(stored(torch.ones(1)), 0, (), ())
    shared = {str(index): tensor for index in range(600)}
    inner = module_of(shared)
    return snapshot(module_of({}, _modules={f"m{index}": inner for index in range(600)}))


def shared_groups() -> bytes:
    """An archive whose mapping names one mapping of tensors two thousand times."""
    group = b"}(" + b"".join(text(str(index)) + b"h\x01" for index in range(2000)) + b"uq\x02"
    tensor = state_dict_pickle(storage_id())[len(HEAD + b"}" + text("w")) : -2]
    names = b"".join(text(f"g{index}") + b"h\x02" for index in range(2000))
    return archive(HEAD + tensor + b"q\x010" + group + b"0}(" + names + b"u.", {"data/0": bytes(8)})


def calls_with_long_arguments() -> bytes:
    count = 50_000
    arguments = b"(" + b"N" * count + b"tq\x01"
    once = b"caddict.addict\nDict\nq\x02h\x01\x81"
    return archive(HEAD + arguments + once + b"h\x02h\x01\x81" * 100_000 + b".")


def one_stream_many_times() -> bytes:
    stream = bytes_of(storage_stream(torch.ones(1))) + b"q\x01"
    load = b"ctorch.storage\n_load_from_bytes\nq\x02"
    return HEAD + stream + b"0" + load + b"0" + b"h\x02h\x01\x85R0" * 50_000 + b"N."


def long_stream_many_times() -> bytes:
    """A stream whose header is a text of a megabyte, named many times."""
    stream = bytes_of(b"\x80\x02" + text("x" * 1_000_000) + b".") + b"q\x01"
    return HEAD + stream + b"0" + b"ctorch.storage\n_load_from_bytes\nq\x020" + b"h\x02h\x01\x85R0" * 100_000 + b"N."


def shared_text(count: int) -> dict[str, str]:
    words = "x" * 200_000
    return {str(index): words for index in range(count)}


def many_entries() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        for index in range(50_001):
            target.writestr(zipfile.ZipInfo(f"a/{index}"), b"")
    return stream.getvalue()


def strided() -> bytes:
    """Tensors of two elements, far apart in a large storage: small to keep, dear where the storage is copied first."""
    storage = stored(torch.zeros(1 << 20))
    tensors = {str(index): view(storage, 0, (2,), ((1 << 20) - 1,)) for index in range(3000)}
    return snapshot(module_of(tensors, x=1))


PCA_STATE = b"csklearn.decomposition._pca\nPCA\n)\x81}" + text("mean_")
REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a global named by doubling": (".pkl", lambda: HEAD + doubling() + text("x") + b"\x93.", "global that is no text"),
    "a name that doubles": (".pkl", lambda: HEAD + text("numpy") + doubling() + b"\x93.", "global that is no text"),
    "an array type that doubles": (".pkl", lambda: HEAD + call("numpy", "dtype", doubling()) + b".", "a tuple"),
    "an array type's state that doubles": (
        ".pkl",
        lambda: PCA_STATE + call("numpy", "dtype", text("f8")) + b"(K\3" + doubling() + b"NNNtbsb.",
        "with fields",
    ),
    "an encoding that doubles": (
        ".pkl", lambda: HEAD + call("_codecs", "encode", text("a"), doubling()) + b".", "a tuple"
    ),
    "a type that doubles": (".pkl", lambda: HEAD + call(*PERSISTENT, meta(type=doubling())) + b".", "a tuple"),
    "a version that doubles": (".pkl", lambda: HEAD + call(*PERSISTENT, meta(version=doubling())) + b".", "is not 6"),
    "a key that doubles": (".pkl", lambda: HEAD + b"}" + doubling() + b"Ns.", "key of type tuple"),
    "a set that doubles": (".pkl", lambda: HEAD + b"\x8f(" + doubling() + b"\x90.", "key of type tuple"),
    "an identity that doubles": (".ckpt", lambda: archive(state_dict_pickle(doubling())), "no storage"),
    "arguments that double": (
        ".pkl", lambda: snapshot(module_of({}, _init_kwargs={"a": doubling_lists()})), "nested deeper"
    ),
    "wide arguments that double": (
        ".pkl", lambda: snapshot(module_of({}, _init_kwargs={"a": doubling_lists(30)})), "names and values"
    ),
    "an attribute that doubles": (".pkl", lambda: snapshot(module_of({}, a=doubling_lists(30))), "names and values"),
    "shared text": (".pkl", lambda: snapshot(module_of({}, _init_kwargs=shared_text(1000))), "more text than"),
    "a training set that doubles": (
        ".pkl",
        lambda: written({"training_set_kwargs": easy_dict(a=doubling_lists(30)), "G": module_of({})}),
        "names and values",
    ),
    "names that double": (".pkl", lambda: branching_modules(25), "names and values"),
    "modules nested": (".pkl", lambda: nested_modules(300), "nested too deep"),
    "a module in itself": (".pkl", module_that_holds_itself, "nested too deep|names and values"),
    "one mapping in many modules": (".pkl", many_names, "names and values|tensors of more"),
    "one mapping under many names": (".ckpt", shared_groups, "names and values"),
    "calls with long arguments": (".ckpt", calls_with_long_arguments, "times the bytes"),
    "one stream many times": (".pkl", one_stream_many_times, "more than 2000 storages"),
    "a long stream many times": (".pkl", long_stream_many_times, "4096|exhausted|remain"),
    "many sets": (".pkl", lambda: HEAD + b"\x8f0" * 100_000 + b"N.", "times the bytes"),
    "many mappings": (
        ".pkl", lambda: HEAD + b"ccollections\nOrderedDict\nq\0]" + b"h\0)Ra" * 60_000 + b".", "times the bytes"
    ),
    "keys made to collide": (
        ".pkl",
        lambda: HEAD + b"\x8f(" + b"".join(long4(k * (2**61 - 1)) for k in range(1, 50_000)) + b"\x90.",
        "more than 60 bits",
    ),
    "too many opcodes": (".pkl", lambda: HEAD + b"N0" * 600_000 + b"N.", "more than 1000000 operations"),
    "a number of a gigabyte": (".pkl", lambda: HEAD + b"\x8b" + struct.pack("<i", 1 << 30) + b"1.", "not enough data"),
    "a negative length": (".pkl", lambda: HEAD + b"\x8b" + struct.pack("<i", -1) + b".", "< 0"),
    "bytes beyond the file": (".pkl", lambda: HEAD + b"\x8e" + struct.pack("<Q", 1 << 60) + b"x.", "remain"),
    "text beyond the file": (".pkl", lambda: HEAD + b"\x8d" + struct.pack("<Q", 1 << 60) + b"x.", "remain"),
    "an array beyond the file": (".pkl", lambda: b"\x80\x05\x96" + struct.pack("<Q", 1 << 60) + b"x.", "remain"),
    "a frame beyond the file": (".pkl", lambda: HEAD + b"\x95" + struct.pack("<Q", 1 << 60) + b"N.", "no snapshot"),
    "a far memo": (".pkl", lambda: HEAD + b"Nr" + b"\xff" * 4 + b"j\xfe\xff\xff\xff.", "memo, which is empty"),
    "lists nested": (".pkl", lambda: HEAD + b"}" + text("G") + b"]" * 20_000 + b"a" * 19_999 + b"s.", "nested deeper"),
    "a decimal number": (".pkl", lambda: b"L" + b"9" * 1_000_000 + b"L\n.", "Exceeds the limit|digits"),
    "a long line": (".pkl", lambda: b"c" + b"a" * 10_000_000 + b"\nb\n.", "not on the list"),
    "a line without an end": (".pkl", lambda: b"c" + b"a" * 10_000_000, "no newline"),
    "many entries": (".ckpt", many_entries, "50001 entries"),
    "a tensor under many names": (
        ".pkl",
        lambda: snapshot(
            module_of(dict.fromkeys(map(str, range(5000)), view(stored(torch.ones(1 << 16)), 0, (1 << 16,), (1,))))
        ),
        "tensors of more than 4 times",
    ),
    "an expanded tensor": (
        ".pkl", lambda: snapshot(module_of({"w": view(stored(torch.ones(1)), 0, (1 << 30,), (0,))})), "of more than 4"
    ),
}  # fmt: skip

SLOW_TO_TRACE = (
    *("wide arguments that double", "an attribute that doubles", "a training set that doubles", "names that double"),
    *("too many opcodes", "one mapping in many modules", "many entries", "one stream many times"),
)
"""Those that make many small objects and keep none; tracing their memory takes a minute."""


@pytest.mark.parametrize("name", REFUSED)
def test_bombs_are_refused_soon_and_within_the_room_of_the_file(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(legacy, "MAX_STORAGES", 2000)  # tenths: the whole takes seconds
    monkeypatch.setattr(plain, "MAX_NODES", 20_000)
    suffix, make, sentence = REFUSED[name]
    content = make()
    path = tmp_path / f"bomb{suffix}"
    traced = name not in SLOW_TO_TRACE
    started = time.process_time()
    if traced:
        tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=sentence) as caught:
            reading(path, content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < SECONDS
    assert len(str(caught.value)) < 800
    assert str(caught.value).isprintable()
    assert not traced or peak < 10 * len(content) + (120 << 20)


def test_small_tensors_of_a_large_storage_cost_little(tmp_path: Path) -> None:
    started = time.process_time()
    record = reading(tmp_path / "s.pkl", strided()).main
    assert len(record.state_dict) == 3000
    assert time.process_time() - started < SECONDS


def test_only_the_module_asked_for_is_copied(tmp_path: Path) -> None:
    def network() -> Call:
        return module_of({"w": view(stored(torch.ones(1 << 20)), 0, (1 << 20,), (1,))})

    content = written({"G": network(), "D": network(), "G_ema": network()})
    tracemalloc.start()
    try:
        checkpoint = reading(tmp_path / "s.pkl", content)
        _, unread = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        tensor = checkpoint.main.state_dict["w"]
        _, read = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert torch.equal(tensor, torch.ones(1 << 20))
    assert unread < len(content) + (1 << 20)
    assert read - unread < (5 << 20)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_honest_files_have_room_in_every_protocol(protocol: int, tmp_path: Path) -> None:
    tensors = {str(index): torch.full((30_000,), index, dtype=torch.uint8) for index in range(40)}
    found = reading(tmp_path / "s.pkl", written({"G": module_of(dict(tensors))}, protocol)).main.state_dict
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
    assert protocol <= pickle.HIGHEST_PROTOCOL
