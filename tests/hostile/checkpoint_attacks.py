"""Malicious checkpoints, one per line of attack; each would run `MARK_COMMAND`, or take forever, if it were trusted.

`ATTACKS` maps a name to a file's suffix and content.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
import zipfile
import zlib
from typing import Any

import torch

from tests.torch_utils.checkpoint_files import (
    Call,
    Gain,
    Named,
    New,
    easy_dict,
    module_of,
    storage_stream,
    stored,
    view,
    written,
)

MARK = "touched-by-a-checkpoint"
MARK_COMMAND = f"touch {MARK}"
PYTHON = f"open({MARK!r}, 'w')"
SYSTEM = Call(Named("posix", "system"), MARK_COMMAND)
Files = dict[str, tuple[str, bytes]]


def text(value: str) -> bytes:
    return pickle.BINUNICODE + struct.pack("<I", len(value.encode())) + value.encode()


def doubling(levels: int = 60) -> bytes:
    """Opcodes of a tuple that holds itself twice per level: 2^60 entries to print, hash or compare."""
    return b")q\x00" + b"0h\x00h\x00\x86q\x00" * levels


def call(function: str, name: str, *arguments: bytes) -> bytes:
    return b"c" + f"{function}\n{name}\n".encode() + b"(" + b"".join(arguments) + b"tR"


def snapshot(value: Any, protocol: int = 4) -> bytes:
    return written({"training_set_kwargs": {}, "G": value, "D": None, "G_ema": None}, protocol)


def with_tensor(storage: Any, offset: Any, size: Any, stride: Any, hooks: Any = None) -> bytes:
    """A snapshot of one module with one tensor."""
    hooks = Call(Named("collections", "OrderedDict")) if hooks is None else hooks
    tensor = Call(Named("torch._utils", "_rebuild_tensor_v2"), storage, offset, size, stride, False, hooks)
    return snapshot(module_of({"w": tensor}))


def calls() -> Files:
    """Calls of what is not on the list, in every protocol and disguise."""
    functions: dict[str, Call] = {
        "system": SYSTEM,
        "eval": Call(Named("builtins", "eval"), PYTHON),
        "exec": Call(Named("builtins", "exec"), PYTHON),
        "open": Call(Named("builtins", "open"), MARK, "w"),
        "import": Call(Named("builtins", "__import__"), "antigravity"),
        "import chain": Call(
            Call(Named("builtins", "getattr"), Call(Named("builtins", "__import__"), "os"), "system"), MARK_COMMAND
        ),
        "popen": Call(Named("subprocess", "Popen"), ["touch", MARK]),
        "runpy": Call(Named("runpy", "run_path"), "x.py"),
        "torch.load": Call(Named("torch.serialization", "load"), "x"),
        "torch.hub": Call(Named("torch.hub", "load"), "a/b", "c"),
        "numpy.load": Call(Named("numpy", "load"), "x"),
        "the source's own package": Call(Named("torch_utils.persistence", "import_hooks"), PYTHON),
        "our own reader": Call(Named("torch_utils.checkpoint", "read_checkpoint"), "x"),
        "a real network": Call(Named("training.triplane", "TriPlaneGenerator")),
        "bytes of a terabyte": Call(Named("builtins", "bytearray"), 10**12),
        "partial": Call(Named("functools", "partial"), Named("posix", "system"), MARK_COMMAND),
        "reconstructor": Call(Named("copyreg", "_reconstructor"), Named("posix", "system"), Named("x", "y"), None),
        "extension registry": Call(Named("copyreg", "add_extension"), "posix", "system", 1),
        "pickle in pickle": Call(Named("pickle", "loads"), written(SYSTEM)),
        "marshal": Call(Named("marshal", "loads"), b"\xe3"),
    }
    files = {name: (".pkl", snapshot(value)) for name, value in functions.items()}
    files |= {f"system, protocol {number}": (".pkl", written(SYSTEM, number)) for number in range(6)}
    files |= {f"system inside, protocol {number}": (".pkl", snapshot(SYSTEM, number)) for number in range(2, 6)}
    files |= {
        "state": (".pkl", snapshot(New(Named("subprocess", "Popen"), {"shell": True}))),
        "setstate": (".pkl", snapshot(Call(Named("builtins", "getattr"), easy_dict(), "__setstate__"))),
        "deep inside": (".pkl", snapshot(module_of({}, {}, hook=[{"a": (1, [SYSTEM])}]))),
        "as a parameter": (".pkl", snapshot(module_of({"w": SYSTEM}))),
        "as hooks": (".pkl", with_tensor(stored(torch.ones(1)), 0, (1,), (1,), SYSTEM)),
        "before a real snapshot": (".pkl", b"\x80\x04" + written(SYSTEM)[:-1] + b"0" + snapshot(Gain(1, 1))[2:]),
        "version 7 with source": (
            ".pkl",
            snapshot(
                Call(
                    Named("torch_utils.persistence", "_reconstruct_persistent_obj"),
                    {"type": "class", "version": 7, "module_src": PYTHON, "class_name": "A", "state": {"a": 1}},
                )
            ),
        ),
    }
    return files


def opcodes() -> Files:
    """Opcodes that build instances, look up attributes, or reach for what no file holds."""
    dotted = {
        "globals": ("torch_utils.persistence", "_reconstruct_persistent_obj.__globals__"),
        "method": ("collections", "OrderedDict.__init__"),
        "module": ("torch", "storage._load_from_bytes"),
        "folder": ("", "collections.OrderedDict"),
    }
    head = b"\x80\x04"
    system = b"cposix\nsystem\n"
    command = text(MARK_COMMAND)
    raw = {
        "inst": b"(S'" + MARK_COMMAND.encode() + b"'\niposix\nsystem\n.",
        "obj": b"(" + system + command + b"o.",
        "newobj": head + system + command + b"\x85\x81.",
        "newobj_ex": head + system + command + b"\x85}\x92.",
        "newobj of a function": head + b"ctorch._utils\n_rebuild_parameter\n)\x81.",
        "ext1": head + b"\x82\x01.",
        "ext2": head + b"\x83\x01\x00.",
        "ext4": head + b"\x84\x01\x00\x00\x00.",
        "persistent id": b"P0\n.",
        "binary persistent id": head + b"K\x01Q.",
        "next buffer": b"\x80\x05\x97.",
        "read-only buffer": b"\x80\x05\x97\x98.",
        "frozen set": head + b"(K\x01\x91.",
        "state of a class": head + b"cdnnlib.util\nEasyDict\n}" + text("__class__") + system + b"sb.",
        "state of a list": head + b"]" + b"}" + text("append") + system + b"sb.",
        "class as a value": head + b"}" + text("G") + b"ctraining.triplane\nOSGDecoder\ns.",
        "module with arguments": head + b"ctraining.triplane\nOSGDecoder\n" + command + b"\x85\x81.",
        "mapping with arguments": head + call("collections", "OrderedDict", b"]") + b".",
        "codec": head + call("_codecs", "encode", text("a"), text("idna")) + b".",
        "codec of bytes": head + call("_codecs", "encode", text("a"), text("zlib")) + b".",
        "codec of nothing else": head + call("_codecs", "encode", text("a")) + b".",
        "codec by another name": head + call("_codecs", "encode", text("a"), text("latin-1")) + b".",
        "codec with an error handler": head
        + call("_codecs", "encode", text("a"), text("latin1"), text("strict"))
        + b".",
        "codec of a number": head + call("_codecs", "encode", b"K\1", text("latin1")) + b".",
        "object scalar": head
        + call("numpy.core.multiarray", "scalar", call("numpy", "dtype", text("O8"), b"\x89\x88"), b"C\x08abcdefgh")
        + b".",
        "record dtype": head + call("numpy", "dtype", text("i4,O"), b"\x89\x88") + b".",
        "set of anything": head + call("builtins", "set", b"]" + system + b"a") + b".",
        "scalar of a module": head + call("numpy.core.multiarray", "scalar", system, b"C\x01a") + b".",
        "protocol 6": b"\x80\x06N.",
        "two values": head + b"NN.",
        "no end": head + b"N",
        "absent memo": head + b"h\x07.",
        "nothing": b"",
    }
    files = {name: (".pkl", content) for name, content in raw.items()}
    return files | {f"dotted {name}": (".pkl", snapshot(Named(*names))) for name, names in dotted.items()}


def stream_parts(stream: bytes) -> tuple[list[bytes], bytes]:
    """The five pickles of a storage stream, and its elements."""
    reader, parts = io.BytesIO(stream), []
    for _ in range(5):
        start = reader.tell()
        list(pickletools.genops(reader))
        parts.append(stream[start : reader.tell()])
    return parts, stream[reader.tell() :]


def storages() -> Files:
    """Storage streams with code in them, and tensors that lie about their storage."""
    good = storage_stream(torch.arange(6.0))
    load = Named("torch.storage", "_load_from_bytes")
    parts, rest = stream_parts(good)
    evil = written(SYSTEM, 2)
    big_endian = parts[2].replace(b"little_endianq\x02\x88", b"little_endianq\x02\x89")

    def joined(*pieces: bytes) -> bytes:
        return b"".join(pieces)

    streams = {
        "code as the magic": joined(evil, *parts[1:], rest),
        "code as the header": joined(*parts[:2], evil, *parts[3:], rest),
        "code as the object": joined(*parts[:3], evil, parts[4], rest),
        "code as the keys": joined(*parts[:4], evil, rest),
        "module as the class": joined(
            *parts[:3], parts[3].replace(b"ctorch\nFloatStorage", b"ctorch.nn\nModule"), parts[4], rest
        ),
        "big endian": joined(*parts[:2], big_endian, *parts[3:], rest),
        "other version": joined(parts[0], written(1002, 2), *parts[2:], rest),
        "other keys": joined(*parts[:4], written(["x"], 2), rest),
        "too few elements": good[:-4],
        "too many elements": good + b"1234",
        "another count": joined(*parts, struct.pack("<q", 7), rest[8:]),
        "negative count": joined(*parts, struct.pack("<q", -1), rest[8:]),
        "a snapshot": snapshot(Gain(1, 1)),
        "nothing": b"",
    }
    files = {
        f"stream: {name}": (".pkl", with_tensor(Call(load, stream), 0, (6,), (1,))) for name, stream in streams.items()
    }
    code = [name for name in streams if name.startswith("code as the ")]
    files |= {f"legacy file: {name}": (".pt", streams[name]) for name in code}
    base = stored(torch.arange(6.0))
    lies = {
        "negative stride": (0, (2, 3), (-3, 1)),
        "negative offset": (-1, (2,), (1,)),
        "negative size": (0, (-2,), (1,)),
        "offset beyond": (6, (), ()),
        "size beyond": (0, (7,), (1,)),
        "stride beyond": (0, (2, 2), (5, 1)),
        "overflow": (2**62, (2**62, 4), (2**62, 1)),
        "wrapping overflow": (0, (2**32, 2**32), (2**32, 2**32)),
        "expanded to a terabyte": (0, (10**12,), (0,)),
        "expanded on many axes": (0, (2**20,) * 20, (0,) * 20),
        "a side of zero hides the others": (0, (0, 2**40, 2**40), (0, 0, 0)),
        "fractions": (0, (1.5,), (1,)),
        "other lengths": (0, (2, 2), (1,)),
        "a hundred axes": (0, (1,) * 100, (1,) * 100),
        "lists": (0, [2], [1]),
        "truth values": (0, (True,), (True,)),
    }
    files |= {f"tensor: {name}": (".pkl", with_tensor(base, *lie)) for name, lie in lies.items()}
    files["tensor: storage of text"] = (".pkl", with_tensor("x", 0, (1,), (1,)))
    files["tensor: one for every name"] = (".pkl", _one_tensor_many_names())
    return files


def _one_tensor_many_names() -> bytes:
    """A megabyte under ten thousand names."""
    tensor = view(stored(torch.zeros(1 << 18)), 0, (1 << 18,), (1,))
    return snapshot(module_of({str(index): tensor for index in range(10_000)}))


def archive(pickled: bytes, records: dict[str, bytes] | None = None, folder: str = "archive") -> bytes:
    """A zip archive as torch writes it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        target.writestr(f"{folder}/data.pkl", pickled)
        for name, content in {"version": b"3\n", **(records or {})}.items():
            target.writestr(f"{folder}/{name}", content)
    return stream.getvalue()


def state_dict_pickle(identity: bytes, count: int = 2) -> bytes:
    """``{"w": tensor}`` whose storage has the persistent id that these opcodes build."""
    tensor = call(
        "torch._utils", "_rebuild_tensor_v2", identity + b"Q", b"K\0", b"K" + bytes([count]) + b"\x85", b"K\1\x85",
        b"\x89", call("collections", "OrderedDict"),
    )  # fmt: skip
    return b"\x80\x02}" + text("w") + tensor + b"s."


def storage_id(kind: str = "torch\nFloatStorage", key: str = "0", count: bytes = b"K\x02") -> bytes:
    return b"(" + text("storage") + f"c{kind}\n".encode() + text(key) + text("cpu") + count + b"t"


def archives() -> Files:
    """Zip archives with code in them, bombs, and directories that lie."""
    pickled, records = state_dict_pickle(storage_id()), {"data/0": bytes(8)}
    good = archive(pickled, records)
    entry, local = good.rindex(b"PK\1\2"), good.rindex(b"PK\3\4")
    first_entry = good.index(b"PK\1\2")

    def patched(position: int, content: bytes) -> bytes:
        return good[:position] + content + good[position + len(content) :]

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("archive/data.pkl", pickled)
        target.writestr("archive/data/0", bytes(20_000_000))
    bomb = stream.getvalue()
    identities = {
        "no tuple": b"K\1", "text": text("storage"), "other word": b"(" + text("module") + b"cx\ny\nNNNt",
        "class": storage_id("torch.nn\nModule"), "system": storage_id("posix\nsystem"),
        "function": storage_id("torch._utils\n_rebuild_tensor_v2"), "absent": storage_id(key="1"),
        "path": storage_id(key="../data.pkl"), "long key": storage_id(key="0" * 10_000),
        "larger": storage_id(count=b"K\x03"), "negative": storage_id(count=b"J" + struct.pack("<i", -2)),
        "huge": storage_id(count=b"\x8a\x09" + b"\xff" * 8 + b"\x00"), "view": storage_id()[:-1] + text("v") + b"t",
        "doubling": doubling(), "doubling word": b"(" + doubling() + b"NNNNt",
    }  # fmt: skip
    contents = {
        **{f"system, protocol {number}": archive(written(SYSTEM, number)) for number in range(6)},
        **{f"id: {name}": archive(state_dict_pickle(identity), records) for name, identity in identities.items()},
        "bomb": bomb,
        "bomb that hides its method": bomb.replace(b"\0\0\x08\0", bytes(4)),
        "compressed pickle": archive(zlib.compress(pickled), records),
        "encrypted": patched(entry + 8, b"\1\0"),
        "encrypted inside": patched(local + 6, b"\1\0"),
        "another name inside": patched(local + 30, b"X"),
        "another size inside": patched(local + 18, struct.pack("<I", 7)),
        "two sizes": patched(entry + 20, struct.pack("<I", 7)),
        "larger than the file": patched(entry + 20, struct.pack("<II", 1 << 30, 1 << 30)),
        "zip64 sizes missing": patched(entry + 20, b"\xff" * 8),
        "entry elsewhere": patched(entry + 42, struct.pack("<I", 3)),
        "entry beyond": patched(entry + 42, struct.pack("<I", 1 << 31)),
        "entries that overlap": patched(entry + 42, good[first_entry + 42 : first_entry + 46]),
        "names twice": _twice(pickled),
        "path out of the archive": archive(pickled, {"../../evil": b"x", **records}),
        "absolute path": archive(pickled, {"data/0": bytes(8)}, folder="/archive"),
        "windows path": archive(pickled, {"a\\..\\b": b"x", **records}),
        "control signs in a name": archive(pickled, {"a\x1b[2Jb\nc": b"x", **records}),
        "no pickle": archive(b"").replace(b"data.pkl", b"data.xyz"),
        "two folders": _two_folders(pickled),
        "archive in the archive": archive(good),
        "program": archive(pickled, {"constants.pkl": pickled, "code/a.py": b"import os", **records}),
        "big endian": archive(pickled, {"byteorder": b"big", **records}),
        "more entries than there are": good[:-12] + struct.pack("<HH", 60_000, 60_000)[:2] + good[-10:],
        "directory elsewhere": good[:-6] + struct.pack("<I", 0) + good[-2:],
        "comment that hides another end": good + b"PK\5\6" + bytes(18),
        "end of a zip64 directory only": good[:-22] + b"PK\6\7" + bytes(16) + good[-22:],
        "no directory": good[:entry],
        "half": good[: len(good) // 2],
    }  # fmt: skip
    return {f"archive: {name}": (".ckpt", content) for name, content in contents.items()}


def _twice(pickled: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        target.writestr("archive/data.pkl", pickled)
        target.writestr("archive/data/0", bytes(8))
        target.writestr("archive/data/1", b"otherone")
    return stream.getvalue().replace(b"archive/data/1", b"archive/data/0")


def _two_folders(pickled: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        target.writestr("a/data.pkl", pickled)
        target.writestr("b/data.pkl", written(SYSTEM))
    return stream.getvalue()


def pcas() -> Files:
    """Pickles that begin like a PCA."""
    pca = Named("sklearn.decomposition._pca", "PCA")
    contents = {
        "state with code": written(New(pca, {"components_": SYSTEM})),
        "other class": written([New(pca, {}), SYSTEM]),
        "tensors": written(New(pca, {"components_": torch.ones(2, 2)})),
        "no arrays": written(New(pca, {"components_": 1, "mean_": 2})),
        "reconstructor": written(Call(Named("copyreg", "_reconstructor"), pca, Named("builtins", "dict"), None)),
        "reconstructor of others": written(
            [New(pca, {}), Call(Named("copyreg", "_reconstructor"), Named("builtins", "object"), pca, None)]
        ),
        "random state": written(New(pca, {"random_state": Call(Named("numpy.random", "__RandomState_ctor"))})),
        "joblib": written(New(pca, {"mean_": New(Named("joblib.numpy_pickle", "NumpyArrayWrapper"), {})})),
    }  # fmt: skip
    return {f"pca: {name}": (".pkl", content) for name, content in contents.items()}


def others() -> Files:
    """Files of other kinds under a checkpoint's name."""
    header = b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
    return {
        "gzip": (".pkl", b"\x1f\x8b\x08" + bytes(20)),
        "picture": (".ckpt", b"\x89PNG\r\n\x1a\n" + bytes(40)),
        "text": (".pt", b"import os; os.system('true')\n"),
        "safetensors too short": (".safetensors", struct.pack("<Q", len(header)) + header),
        "safetensors header beyond": (".safetensors", struct.pack("<Q", 1 << 60) + header),
        "safetensors nested": (".safetensors", struct.pack("<Q", 100_000) + b'{"a":' + b"[" * 99_995),
        "pickle named safetensors": (".safetensors", written(SYSTEM)),
    }


ATTACKS: Files = {**calls(), **opcodes(), **storages(), **archives(), **pcas(), **others()}
