"""Snapshot pickles give what torch's own `state_dict` of the pickled modules gives, in every protocol and layout."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.torch_utils.checkpoint_files import (
    SOURCE,
    Call,
    Gain,
    Named,
    Network,
    easy_dict,
    module_of,
    reading,
    snapshot_bytes,
    storage_stream,
    stored,
    view,
    written,
)
from torch_utils.checkpoint import CheckpointError, write_safetensors
from torch_utils.checkpoint.snapshot import SNAPSHOT_ENTRIES

PROTOCOLS = [2, 3, 4, 5]
DTYPES = [
    torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.bool,
]  # fmt: skip


def only(path: Path, parameters: dict[str, Any], buffers: dict[str, Any] | None = None) -> dict[str, Tensor]:
    """The state dict of a snapshot whose one module has these."""
    return reading(path / "s.pkl", snapshot_bytes(G_ema=module_of(parameters, buffers))).main.state_dict


def old_scalar(value: float, kind: str) -> Call:
    """A NumPy scalar under the module name of NumPy 1."""
    scalar = np.dtype(kind).type(value)
    return Call(Named("numpy.core.multiarray", "scalar"), scalar.dtype, scalar.tobytes())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_names_order_types_and_values_are_those_of_torch(protocol: int, tmp_path: Path) -> None:
    modules = {"G": Network(), "D": Gain(3, 1), "G_ema": Network(), "augment_pipe": Gain(1, 1)}
    checkpoint = reading(tmp_path / "s.pkl", snapshot_bytes(protocol, **modules))
    assert list(checkpoint.modules) == list(modules)
    for name, module in modules.items():
        expected, found = module.state_dict(), checkpoint.module(name).state_dict
        assert list(found) == list(expected)
        for key, tensor in found.items():
            assert (tensor.dtype, tensor.shape) == (expected[key].dtype, expected[key].shape)
            assert torch.equal(tensor, expected[key])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("gain", [np.float64(1.5), np.float32(1.5), np.int64(3), old_scalar(1.5, "f8"), 2], ids=str)
def test_attributes_and_arguments_are_plain_values(gain: Any, protocol: int, tmp_path: Path) -> None:
    network = Network(z_dim=8, mapping_kwargs={"num_layers": 2}, sizes=(1, 2), conv_clamp=None, gain=gain)
    network.gain = gain
    record = reading(tmp_path / "s.pkl", snapshot_bytes(protocol, G_ema=network)).main
    number = gain if isinstance(gain, (int, np.generic)) else 1.5
    arguments = {"z_dim": 8, "mapping_kwargs": {"num_layers": 2}, "sizes": [1, 2], "conv_clamp": None, "gain": number}
    assert record.init_kwargs == arguments
    assert json.loads(json.dumps(record.init_kwargs)) == arguments
    assert record.attributes["gain"] == number
    assert record.attributes["training"] is True
    assert record.attributes["rendering_kwargs"] == {"depth_resolution": 48, "ray_end": "auto"}
    assert "decoder" not in record.attributes


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_scalars_of_every_plain_type_and_byte_order_are_numbers(
    protocol: int, module: str, tmp_path: Path
) -> None:
    types = [np.dtype(order + code) for order in "<>" for code in ("?", *"bhiq", *"BHIQ", *"efd")]
    values = {f"{kind.str} {index}": np.ones((), kind) for index, kind in enumerate(types)}
    scalars = {name: Call(Named(module, "scalar"), value.dtype, value.tobytes()) for name, value in values.items()}
    content = snapshot_bytes(protocol, G_ema=module_of({}, _init_kwargs=easy_dict(**scalars)))
    found = reading(tmp_path / "s.pkl", content).main.init_kwargs
    assert found == {name: value.item() for name, value in values.items()}
    assert {name: type(value) for name, value in found.items()} == {n: type(v.item()) for n, v in values.items()}


def test_the_allowed_names_are_exactly_those_of_the_published_file() -> None:
    volumetric, numpy_scalars = "training.volumetric_rendering", ("numpy.core.multiarray", "numpy._core.multiarray")
    expected = {
        "torch_utils.persistence._reconstruct_persistent_obj", "dnnlib.util.EasyDict", "collections.OrderedDict",
        "torch._utils._rebuild_parameter", "torch._utils._rebuild_tensor_v2", "torch.storage._load_from_bytes",
        *(f"{module}.scalar" for module in numpy_scalars), "numpy.dtype",
        "torch.nn.modules.container.Sequential", "torch.nn.modules.activation.Softplus", "training.triplane.OSGDecoder",
        f"{volumetric}.renderer.ImportanceRenderer", f"{volumetric}.ray_marcher.MipRayMarcher2",
        f"{volumetric}.ray_sampler.RaySampler", "_codecs.encode", "__builtin__.set", "builtins.set",
    }  # fmt: skip
    assert {*SNAPSHOT_ENTRIES, "torch.storage._load_from_bytes"} == expected


def test_the_generator_has_the_live_settings_and_sets_snapshot_buffers_aside(tmp_path: Path) -> None:
    network = Network(rendering_kwargs={"depth_resolution": 12})
    network.register_buffer("dataset_label_std", torch.ones(25))
    generator = reading(tmp_path / "s.pkl", snapshot_bytes(G_ema=network)).generator
    assert generator.rendering_kwargs["depth_resolution"] == 48
    assert generator.neural_rendering_resolution == 64
    assert list(generator.set_aside) == ["dataset_label_std"]
    strict = Network()
    strict.load_state_dict(generator.state_dict, strict=True)
    assert torch.equal(strict.own, network.own)


def test_without_live_settings_the_constructor_s_count(tmp_path: Path) -> None:
    network = Network(rendering_kwargs={"depth_resolution": 12})
    del network.rendering_kwargs
    generator = reading(tmp_path / "s.pkl", snapshot_bytes(G_ema=network)).generator
    assert generator.rendering_kwargs == {"depth_resolution": 12}


def test_embedded_source_is_text_and_never_runs(tmp_path: Path) -> None:
    record = reading(tmp_path / "s.pkl", snapshot_bytes(G=Network())).module("G")
    assert (record.class_name, record.module_src) == ("Network", SOURCE)
    with pytest.raises(RuntimeError, match="was executed"):
        exec(record.module_src)


def test_storages_of_absent_devices_are_read_to_the_cpu(tmp_path: Path) -> None:
    tensor = torch.randn(3, 3)
    assert b"cuda:7" in storage_stream(tensor, "cuda:7")
    found = only(tmp_path, {"axes": view(stored(tensor, "cuda:7"), 0, (3, 3), (3, 1))})["axes"]
    assert found.device.type == "cpu"
    assert torch.equal(found, tensor)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_element_type_keeps_its_bits(dtype: torch.dtype, tmp_path: Path) -> None:
    tensor = (torch.arange(12).reshape(3, 4) * 37 % 11 - (0 if dtype == torch.uint8 else 5)).to(dtype)
    found = only(tmp_path, {"a": tensor, "b": tensor.t(), "zero": tensor[1, 2], "none": tensor[:0]})
    assert [(entry.dtype, tuple(entry.shape)) for entry in found.values()] == [
        (dtype, (3, 4)), (dtype, (4, 3)), (dtype, ()), (dtype, (0, 4))
    ]  # fmt: skip
    assert torch.equal(found["a"], tensor)
    assert torch.equal(found["b"], tensor.t())
    assert found["zero"] == tensor[1, 2]


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (4, 6), (6, 1)), (5, (3,), (1,)), (2, (3, 4), (1, 6)), (0, (24,), (1,)), (1, (2, 2, 2), (12, 6, 3)),
        (0, (50, 6), (0, 1)), (23, (), ()), (7, (5, 5), (0, 0)), (0, (20, 5), (1, 1)), (24, (0, 3), (3, 1)),
        (3, (1, 4), (10**6, 2)), (0, (0, 10**9), (1, 1)),
    ],
)  # fmt: skip
def test_any_strides_and_offsets_are_those_of_torch(
    offset: int, size: tuple[int, ...], stride: tuple[int, ...], tmp_path: Path
) -> None:
    base = torch.randn(24)
    found = only(tmp_path, {"w": view(stored(base), offset, size, stride)})["w"]
    assert torch.equal(found, base.as_strided(size, stride, offset))
    assert found.is_contiguous()


def test_views_of_one_storage_are_copies(tmp_path: Path) -> None:
    base = torch.arange(10.0)
    storage = stored(base)
    tied = view(storage, 0, (10,), (1,))
    found = only(tmp_path, {"a": tied, "b": view(storage, 5, (5,), (1,)), "c": tied})
    found["a"].zero_()
    assert torch.equal(found["b"], base[5:])
    assert torch.equal(found["c"], base)


def test_absent_and_passing_buffers_are_not_in_the_state_dict(tmp_path: Path) -> None:
    tensor = view(stored(torch.ones(2)), 0, (2,), (1,))
    passing = module_of({"w": None}, {"a": None, "b": tensor, "c": tensor}, _non_persistent_buffers_set={"c"})
    record = reading(tmp_path / "s.pkl", snapshot_bytes(G_ema=passing)).main
    assert list(record.state_dict) == ["b"]


def test_a_module_inside_two_others_has_two_names(tmp_path: Path) -> None:
    shared = nn.Softplus()
    shared.weight = nn.Parameter(torch.randn(2))
    outer = nn.Sequential(nn.Sequential(shared), shared)
    record = reading(tmp_path / "s.pkl", snapshot_bytes(G_ema=outer)).main
    assert list(record.state_dict) == ["0.0.weight", "1.weight"]
    assert torch.equal(record.state_dict["1.weight"], shared.weight)


def test_conversion_keeps_everything(tmp_path: Path) -> None:
    checkpoint = reading(tmp_path / "s.pkl", snapshot_bytes(G=Network(), G_ema=Network(ray=float("inf"), name="ä\n")))
    write_safetensors(checkpoint, "G_ema", tmp_path / "s.safetensors")
    again = reading(tmp_path / "t.safetensors", (tmp_path / "s.safetensors").read_bytes())
    before, after = checkpoint.main, again.main
    assert (after.name, after.class_name) == (before.name, before.class_name)
    assert (after.init_kwargs, after.attributes) == (before.init_kwargs, before.attributes)
    assert again.training_set_kwargs == checkpoint.training_set_kwargs
    assert list(after.state_dict) == list(before.state_dict)
    for name, tensor in before.state_dict.items():
        assert after.state_dict[name].dtype == tensor.dtype
        assert torch.equal(after.state_dict[name], tensor)


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_storage_streams_are_those_that_torch_reads(tmp_path: Path) -> None:
    tensor = torch.randn(5).double()
    theirs = torch.load(io.BytesIO(storage_stream(tensor)), weights_only=True, map_location="cpu")
    ours = only(tmp_path, {"w": view(stored(tensor), 0, (5,), (1,))})["w"]
    assert ours.tolist() == list(theirs)


@pytest.mark.parametrize(
    ("modules", "sentence"),
    [
        ({}, "no snapshot"),
        ({"G": 3}, "G is of type int and no module"),
        ({"G": module_of({"w": 3})}, "w is no tensor"),
        ({"G": module_of({}, _init_args=(1,))}, "arguments that have no name"),
        ({"G": module_of({"a.b": None, 3: None})}, "no short text"),
        ({"G": module_of({}, _modules={"x": 1})}, "x. is no module"),
        ({"G": module_of({}, rendering_kwargs={"a": torch.ones(3)})}, r"G\.rendering_kwargs not made of numbers"),
        (
            {"G": module_of({}, _init_kwargs=easy_dict(t=torch.ones(2)))},
            r"G\._init_kwargs that are not made of numbers",
        ),
    ],
    ids=str,
)
def test_what_is_no_snapshot_is_said_in_a_sentence(modules: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=sentence):
        reading(tmp_path / "s.pkl", snapshot_bytes(**modules))


@pytest.mark.parametrize(("key", "value"), [("type", "function"), ("version", 7), ("class_name", 3), ("state", [1])])
def test_the_form_of_persistent_objects_is_checked(key: str, value: Any, tmp_path: Path) -> None:
    meta = {"type": "class", "version": 6, "module_src": "", "class_name": "A", "state": {"training": True}}
    content = written({"G": Call(Named("torch_utils.persistence", "_reconstruct_persistent_obj"), meta | {key: value})})
    with pytest.raises(CheckpointError, match=r"persistent object|state is no dictionary"):
        reading(tmp_path / "s.pkl", content)
