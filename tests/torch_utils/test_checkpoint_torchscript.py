"""TorchScript archives: the tensors are those that torch loads; nothing in a hostile archive runs."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.torch_utils.checkpoint_files import Call, Named, New, reading, view, written
from torch_utils.checkpoint import CheckpointError, read_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.* is deprecated")


class Block(nn.Module):
    """Parameters, a buffer, modules inside and attributes of every kind that TorchScript stores."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.attn = nn.MultiheadAttention(4, 2)
        self.fc = nn.Linear(4, 4)
        self.register_buffer("mask", torch.arange(3))
        self.register_buffer("absent", None)
        self.names = ["a", "b"]
        self.sizes = [1, 2]
        self.gains = [0.5, 2.0]
        self.flags = [True]
        self.pair = (1, "x")
        self.table = {"one": 1}
        self.device = torch.device("cpu")
        self.kept = [torch.ones(2), torch.zeros(3)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.to(self.device) * self.gains[0] * self.pair[0] * self.sizes[0] * self.table["one"] + self.kept[0].sum()
        if self.flags[0] and self.names[0] == "a":
            x = self.fc(self.norm(x))
        return x


class Net(nn.Module):
    """Blocks in a container, a module that is in it twice, a scalar, a view and a tensor that is no buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = nn.Sequential(Block(), Block())
        self.tied = self.visual[0].fc
        self.scale = nn.Parameter(torch.tensor(0.5))
        base = torch.arange(24.0).reshape(4, 6)
        self.register_buffer("whole", base)
        self.register_buffer("part", base[1:3, ::2])
        self.register_buffer("turned", base.t())
        self.register_buffer("passing", torch.ones(2), persistent=False)
        self.plain = torch.tensor([7])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.visual(x) * self.scale + self.plain


def scripted(net: nn.Module) -> torch.jit.ScriptModule:
    return torch.jit.script(net)


def traced(net: nn.Module) -> torch.jit.ScriptModule:
    return torch.jit.trace(net, torch.randn(2, 4))


def saved(module: torch.jit.ScriptModule) -> bytes:
    stream = io.BytesIO()
    torch.jit.save(module, stream)
    return stream.getvalue()


def rewritten(content: bytes, changes: dict[str, bytes | None], added: dict[str, bytes] | None = None) -> bytes:
    """The archive with other content, or none, of the entries with these ends, and with further entries."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(stream, "w") as target:
        for entry in source.infolist():
            change = next((end for end in changes if entry.filename.endswith(end)), None)
            new = source.read(entry) if change is None else changes[change]
            if new is not None:
                target.writestr(entry.filename, new, entry.compress_type)
        for name, new in (added or {}).items():
            target.writestr(name, new)
    return stream.getvalue()


@pytest.fixture
def small(tmp_path: Path) -> bytes:
    """One linear layer."""
    return saved(scripted(nn.Linear(2, 3)))


@pytest.mark.parametrize("made", [scripted, traced])
@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_tensors_are_those_that_torch_loads(made: Callable, kind: torch.dtype, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = made(Net())
    content = saved(module.to(kind))
    theirs = torch.jit.load(io.BytesIO(content)).state_dict()
    checkpoint = reading(tmp_path / "net.pt", content)
    ours = checkpoint.main.state_dict
    assert checkpoint.kind == "torchscript"
    assert checkpoint.main.class_name.endswith("Net")
    # The tensor that is neither parameter nor buffer has a name too; the file tells it apart in its program only.
    assert set(ours) - set(theirs) == ({"plain"} if made is scripted else set())
    assert [name for name in ours if name != "plain"] == list(theirs)
    for name, tensor in theirs.items():
        assert ours[name].dtype == tensor.dtype, name
        assert torch.equal(ours[name], tensor), name
    assert torch.equal(ours["tied.weight"], ours["visual.0.fc.weight"])


def test_storages_stay_shared_in_the_file_and_apart_in_memory(tmp_path: Path) -> None:
    content = saved(scripted(Net()))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert sum(archive.getinfo(name).file_size == 96 for name in archive.namelist() if "/data/" in name) == 1
    state = reading(tmp_path / "net.pt", content).main.state_dict
    assert torch.equal(state["part"], state["whole"][1:3, ::2])
    assert torch.equal(state["turned"], state["whole"].t())
    assert state["turned"].data_ptr() != state["whole"].data_ptr()


def test_attributes_of_the_module_are_plain_data(tmp_path: Path) -> None:
    attributes = reading(tmp_path / "block.pt", saved(scripted(Block()))).main.attributes
    assert attributes["names"] == ["a", "b"]
    assert attributes["sizes"] == [1, 2]
    assert attributes["gains"] == [0.5, 2.0]
    assert attributes["table"] == {"one": 1}
    assert attributes["device"] == "cpu"
    assert attributes["training"] is True


def test_programs_are_not_read(small: bytes, tmp_path: Path) -> None:
    """They are compressed; torch itself cannot load the archive once they are damaged, its tensors are still there."""
    broken = rewritten(small, {".py": b"import os; os.abort()", ".debug_pkl": b"?"})
    with pytest.raises(RuntimeError):
        torch.jit.load(io.BytesIO(broken))
    assert torch.equal(
        reading(tmp_path / "b.pt", broken).main.state_dict["weight"],
        torch.jit.load(io.BytesIO(small)).state_dict()["weight"],
    )


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        import os

        return os.system, (f"touch {self.mark}",)


def test_a_pickle_that_would_run_a_command_is_refused(small: bytes, tmp_path: Path) -> None:
    mark = tmp_path / "owned"
    for evil in (pickle.dumps(Evil(mark), 2), pickle.dumps({"visual": [Evil(mark)]}, 4)):
        with pytest.raises(CheckpointError, match=r"(posix|os|nt)\.system, which is not on the list"):
            reading(tmp_path / "evil.pt", rewritten(small, {"/data.pkl": evil}))
    assert not mark.exists()


def module(state: Any, name: str = "Net") -> New:
    return New(Named("__torch__", name), state)


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (module({"x": Call(Named("builtins", "eval"), "1")}), r"builtins\.eval, which is not on the list"),
        (module({"x": Named("__torch__x", "Net")}), r"__torch__x\.Net, which is not on the list"),
        (module({"x": Call(Named("torch.nn.modules.linear", "Linear"), 1, 1)}), "which is not on the list"),
        (Call(Named("__torch__", "Net"), 1), "a Net with arguments"),
        (module([1, 2]), "no dictionary of attributes"),
        (module({1: 2}), "no dictionary of attributes"),
        (module({"a.b": 3}), "without a short name"),
        (module({"a" * 600: 3}), "without a short name"),
        (module({"x": Call(Named("torch.jit._pickle", "build_intlist"), 3)}), "typed container"),
        (module({"x": Call(Named("torch.jit._pickle", "restore_type_tag"), [1], 2)}), "typed container"),
        (module({"x": view([], 0, (1,), (1,))}), "without a storage"),
        ({"state_dict": {}}, "no TorchScript module"),
        (3, "no TorchScript module"),
    ],
)
def test_whatever_is_no_module_of_tensors_is_refused(value: Any, match: str, small: bytes, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=match):
        reading(tmp_path / "odd.pt", rewritten(small, {"/data.pkl": written(value, 2)}))


def test_modules_nested_without_end_are_refused(small: bytes, tmp_path: Path) -> None:
    deep = module({"training": True})
    for _ in range(40):
        deep = module({"a": deep, "b": deep})  # twice each: walked to the end this would be 2⁴⁰ modules
    with pytest.raises(CheckpointError, match="deeper than 30"):
        reading(tmp_path / "deep.pt", rewritten(small, {"/data.pkl": written(deep, 2)}))
    wide = module({"training": True})
    for _ in range(25):
        wide = module({"a": wide, "b": wide})
    with pytest.raises(CheckpointError, match="names and values"):
        reading(tmp_path / "wide.pt", rewritten(small, {"/data.pkl": written(wide, 2)}))


def test_modules_that_hold_themselves_are_refused(small: bytes, tmp_path: Path) -> None:
    ring = module({})
    ring.state["inside"] = ring
    with pytest.raises(CheckpointError, match="deeper than 30"):
        reading(tmp_path / "ring.pt", rewritten(small, {"/data.pkl": written(ring, 2)}))


def test_missing_and_short_storages_are_refused(small: bytes, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="'1', which is not in the archive"):
        reading(tmp_path / "m.pt", rewritten(small, {"/data/1": None}))
    with pytest.raises(CheckpointError, match="4 bytes for a storage of 6 elements"):
        reading(tmp_path / "s.pt", rewritten(small, {"/data/0": b"abcd"}))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated_archives_are_refused(small: bytes, share: float, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"t\.pt: expected a checkpoint, found "):
        reading(tmp_path / "t.pt", small[: int(share * len(small))])


def test_only_programs_may_be_compressed(small: bytes, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(small)) as source, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    with pytest.raises(CheckpointError, match=r"data.* compressed or encrypted"):
        reading(tmp_path / "z.pt", stream.getvalue())


def test_flipped_bytes_give_tensors_or_one_error(small: bytes, tmp_path: Path) -> None:
    refused = []
    for position in range(0, len(small), 37):
        damaged = bytearray(small)
        damaged[position] ^= 0x55
        try:
            reading(tmp_path / "f.pt", bytes(damaged))
        except CheckpointError as error:
            refused.append(str(error))
    assert refused
    assert not any("\n" in sentence for sentence in refused)


def test_the_same_tensors_in_other_files_read_alike(tmp_path: Path) -> None:
    net = nn.Linear(2, 3)
    torch.save(net.state_dict(), tmp_path / "plain.pth")
    plain = read_checkpoint(tmp_path / "plain.pth").main.state_dict
    script = reading(tmp_path / "script.pt", saved(scripted(net))).main.state_dict
    assert list(plain) == list(script)
    assert all(torch.equal(plain[name], script[name]) for name in plain)
