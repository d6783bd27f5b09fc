"""Files of `torch.save` and scikit-learn: ours equals what torch reads with `weights_only`, and what was saved."""

from __future__ import annotations

import argparse
import collections
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import addict
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.decomposition import PCA
from torch import nn

from tests.torch_utils.checkpoint_files import reading
from torch_utils.checkpoint import CheckpointError, read_checkpoint


def tensors() -> dict[str, torch.Tensor]:
    """Tensors of many types and layouts, two of them of one storage."""
    base = torch.arange(24.0).reshape(4, 6)
    return {
        "generator.0.weight": base,
        "generator.0.view": base[1:3, ::2],
        "generator.1.turned": torch.randn(3, 5).half().t(),
        "discriminator.bias": torch.randn(3).bfloat16(),
        "generator.counter": torch.tensor(5),
        "generator.mask": torch.tensor([True, False]),
        "wide": torch.randn(1, 4).expand(3, 4),
        "empty": torch.empty(0, 3, dtype=torch.uint8),
        "parameter": nn.Parameter(torch.randn(2).double()),
    }


def lightning() -> dict[str, Any]:
    """A dict with the entries of Lightning 1.6."""
    state = collections.OrderedDict(tensors())
    state._metadata = collections.OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    weight = nn.Parameter(torch.randn(3))
    optimizer = torch.optim.Adam([weight])
    weight.sum().backward()
    optimizer.step()
    return {
        "epoch": 199,
        "global_step": 1000,
        "pytorch-lightning_version": "1.6.3",
        "state_dict": state,
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 2}}}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.5), "kept": {}}},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [],
        "native_amp_scaling_state": {"scale": 65536.0},
        "hparams_name": "bargs",
        "hyper_parameters": addict.Dict(base=addict.Dict(dn="."), train=addict.Dict(lr=np.float64(0.5), sizes=(1, 2))),
    }


def same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> bool:
    return list(ours) == list(theirs) and all(
        ours[name].dtype == tensor.dtype and torch.equal(ours[name], tensor) for name, tensor in theirs.items()
    )


@pytest.mark.parametrize("form", [True, False], ids=["archive", "legacy"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_lightning_files_give_their_tensors(form: bool, protocol: int, tmp_path: Path) -> None:
    path, saved = tmp_path / "last.ckpt", lightning()
    torch.save(saved, path, _use_new_zipfile_serialization=form, pickle_protocol=protocol)
    checkpoint = read_checkpoint(path)
    assert same(checkpoint.main.state_dict, saved["state_dict"])
    assert checkpoint.main.init_kwargs == {"base": {"dn": "."}, "train": {"lr": 0.5, "sizes": [1, 2]}}
    assert (checkpoint.main.attributes["epoch"], checkpoint.main.attributes["hparams_name"]) == (199, "bargs")


@pytest.mark.parametrize("form", [True, False], ids=["archive", "legacy"])
def test_torch_s_own_safe_reader_agrees(form: bool, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(tensors(), path, _use_new_zipfile_serialization=form)
    theirs = torch.load(path, weights_only=True)
    assert same(read_checkpoint(path).main.state_dict, theirs)


@pytest.mark.parametrize("form", [True, False], ids=["archive", "legacy"])
def test_every_mapping_of_tensors_is_a_module(form: bool, tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    torch.save(
        {"model": net.state_dict(), "ema": {"w": torch.ones(2)}, "step": 3},
        tmp_path / "m.pth",
        _use_new_zipfile_serialization=form,
    )
    checkpoint = read_checkpoint(tmp_path / "m.pth")
    assert list(checkpoint.modules) == ["model", "ema"]
    assert same(checkpoint.module("model").state_dict, net.state_dict())
    with pytest.raises(CheckpointError, match="found model, ema"):
        _ = checkpoint.main
    with pytest.raises(CheckpointError, match="a module named G_ema"):
        checkpoint.module("G_ema")


@pytest.mark.parametrize("value", [torch.ones(2), [torch.ones(2)], {"a": 1}, {}, 3], ids=repr)
def test_files_without_names_of_tensors_are_refused(value: Any, tmp_path: Path) -> None:
    torch.save(value, tmp_path / "odd.pt")
    with pytest.raises(CheckpointError, match="no mapping of names to tensors"):
        read_checkpoint(tmp_path / "odd.pt")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (nn.Linear(2, 2), r"torch\.nn\.modules\.linear\.Linear"),
        (Path("x"), r"pathlib\.\w*PosixPath"),
        (torch.float32, r"torch\.float32"),
        (torch.ones(2, dtype=torch.complex64), r"torch\.ComplexFloatStorage"),
        (torch.ones(2).to(torch.float8_e4m3fn), r"torch\._utils\._rebuild_tensor_v3"),
        (slice(3), r"builtins?__\.slice|builtins\.slice"),
        (np.zeros(2, object), "the array type 'O8'"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_globals_are_refused_by_name(value: Any, name: str, tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.ones(1)}, "x": value}, tmp_path / "x.ckpt")
    with pytest.raises(CheckpointError, match=f"x.ckpt: .*{name}"):
        read_checkpoint(tmp_path / "x.ckpt")


@pytest.mark.parametrize(
    "hyper_parameters",
    [
        {"args": argparse.Namespace(lr=1.0)},
        {"folder": Path("x")},
        collections.defaultdict(list),
        {"of": torch.Size([1])},
    ],
    ids=lambda value: type(next(iter(value.values()), value)).__name__,
)
def test_a_refused_container_comes_with_what_to_do(hyper_parameters: Any, tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.ones(1)}, "hyper_parameters": hyper_parameters}, tmp_path / "x.ckpt")
    with pytest.raises(
        CheckpointError, match=r"not on the list of allowed names\. If you trust .* save its tensors alone"
    ):
        read_checkpoint(tmp_path / "x.ckpt")


def test_damage_comes_without_advice_to_trust_the_file(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(1)}, tmp_path / "x.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError) as caught:
        reading(tmp_path / "y.pt", (tmp_path / "x.pt").read_bytes()[:-3])
    assert caught.value.next_step == ""
    assert "trust" not in str(caught.value)


def test_archives_of_big_endian_machines_are_refused(tmp_path: Path) -> None:
    torch.save(tensors(), tmp_path / "a.pt")
    content = (tmp_path / "a.pt").read_bytes()
    assert b"byteorder" in content
    with zipfile.ZipFile(tmp_path / "a.pt") as archive, zipfile.ZipFile(tmp_path / "b.pt", "w") as other:
        for name in archive.namelist():
            other.writestr(name, b"big" if name.endswith("byteorder") else archive.read(name))
    with pytest.raises(CheckpointError, match="big-endian"):
        read_checkpoint(tmp_path / "b.pt")


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pca_of_any_protocol_gives_its_arrays(protocol: int, kind: Any, tmp_path: Path) -> None:
    fitted = PCA(5).fit(np.random.default_rng(3).normal(size=(40, 8)).astype(kind))
    checkpoint = reading(tmp_path / "pca.pkl", pickle.dumps(fitted, protocol))
    found = checkpoint.module("pca").state_dict
    for name in ("components_", "mean_", "explained_variance_"):
        np.testing.assert_array_equal(found[name].numpy(), getattr(fitted, name))
        assert found[name].numpy().dtype == getattr(fitted, name).dtype
    assert checkpoint.main.attributes["n_components_"] == 5
    assert checkpoint.main.attributes["whiten"] is False


def test_a_pca_under_the_names_of_numpy_2_and_1_is_the_same(tmp_path: Path) -> None:
    fitted = PCA(2).fit(np.random.default_rng(3).normal(size=(9, 4)))
    content = pickle.dumps(fitted, 2)
    old, new = content.replace(b"numpy._core.", b"numpy.core."), content.replace(b"numpy.core.", b"numpy._core.")
    assert old != new
    for one in (old, new):
        found = reading(tmp_path / "pca.pkl", one).main.state_dict["mean_"]
        np.testing.assert_array_equal(found.numpy(), fitted.mean_)


def test_a_big_endian_pca_is_turned(tmp_path: Path) -> None:
    fitted = PCA(2).fit(np.random.default_rng(3).normal(size=(9, 4)))
    fitted.components_ = fitted.components_.astype(">f8", order="F")
    found = reading(tmp_path / "pca.pkl", pickle.dumps(fitted)).main.state_dict["components_"]
    np.testing.assert_array_equal(found.numpy(), fitted.components_)


def test_long_doubles_in_a_pca_are_refused(tmp_path: Path) -> None:
    fitted = PCA(2).fit(np.random.default_rng(3).normal(size=(9, 4)))
    fitted.components_ = fitted.components_.astype(np.longdouble)
    if fitted.components_.dtype.itemsize == 8:
        pytest.skip("long doubles are doubles on this machine")
    with pytest.raises(CheckpointError, match=r"the array type 'f\d\d'; allowed are plain numbers of at most 8 bytes"):
        reading(tmp_path / "pca.pkl", pickle.dumps(fitted))


@pytest.mark.parametrize("change", ["unfitted", "other shape", "whole numbers"])
def test_an_unusable_pca_is_refused(change: str, tmp_path: Path) -> None:
    fitted = PCA(2) if change == "unfitted" else PCA(2).fit(np.random.default_rng(3).normal(size=(9, 4)))
    if change == "other shape":
        fitted.mean_ = fitted.mean_[:3]
    elif change == "whole numbers":
        fitted.components_ = fitted.components_.astype(int)
    with pytest.raises(CheckpointError, match=r"not fitted|components_ of shape"):
        reading(tmp_path / "pca.pkl", pickle.dumps(fitted))


def test_safetensors_of_others_are_a_state_dict(tmp_path: Path) -> None:
    plain = {name: tensor.detach().clone() for name, tensor in tensors().items()}
    plain = {name: tensor.contiguous() for name, tensor in plain.items()}
    save_file(plain, tmp_path / "o.safetensors", {"format": "pt"})
    record = read_checkpoint(tmp_path / "o.safetensors").module("state_dict")
    theirs = load_file(tmp_path / "o.safetensors")
    assert all(torch.equal(record.state_dict[name], tensor) for name, tensor in theirs.items())
    assert not record.init_kwargs
    (tmp_path / "o.json").write_text('{"init_kwargs": {"z_dim": 3}}')
    assert read_checkpoint(tmp_path / "o.safetensors").generator.init_kwargs == {"z_dim": 3}
    (tmp_path / "o.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match="nested too deep"):
        read_checkpoint(tmp_path / "o.safetensors")


def test_a_generator_without_arguments_is_refused(tmp_path: Path) -> None:
    save_file({"w": torch.ones(1)}, tmp_path / "o.safetensors")
    with pytest.raises(CheckpointError, match="constructor arguments"):
        _ = read_checkpoint(tmp_path / "o.safetensors").generator


@pytest.mark.parametrize(
    "header", [b"{", b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', b'{"a":3}', b"{}}", b"{" * 5000]
)
def test_damaged_safetensors_are_refused(header: bytes, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="a safetensors file"):
        reading(tmp_path / "o.safetensors", struct.pack("<Q", len(header)) + header)
