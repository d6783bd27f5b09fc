"""Snapshot fixtures: every tensor, constructor argument and attribute is the one that the JSON beside them lists."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.parity.fixtures import discover
from torch_utils.checkpoint import Checkpoint, ModuleRecord, read_checkpoint, write_safetensors

MODULES = ("G", "D", "G_ema", "augment_pipe")
SUFFIX = ".expected.json"


@pytest.fixture(scope="module", params=discover("generator/checkpoint*.expected.json"))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, dict[str, Any]]:
    """A snapshot as it was read, and what it should hold."""
    path: Path = request.param
    packed = path.with_name(path.name.removesuffix(SUFFIX) + ".pkl.gz")
    if not packed.is_file():
        pytest.skip(f"{path.name} has no {packed.name}")
    target = tmp_path_factory.mktemp("checkpoint") / "snapshot.pkl"
    target.write_bytes(gzip.decompress(packed.read_bytes()))
    return read_checkpoint(target), json.loads(path.read_text(encoding="utf-8"))


def listing(record: ModuleRecord) -> dict[str, dict[str, Any]]:
    """The fixture's description of our tensors."""
    return {
        name: {
            "shape": list(tensor.shape),
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "sha256": hashlib.sha256(tensor.reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest(),
        }
        for name, tensor in record.state_dict.items()
    }


def test_exactly_the_modules_listed_are_there(case) -> None:
    checkpoint, expected = case
    assert set(checkpoint.modules) == {name for name in MODULES if name in expected}


@pytest.mark.parametrize("name", MODULES)
def test_every_tensor_has_its_name_place_shape_type_and_bytes(case, name: str) -> None:
    checkpoint, expected = case
    if name not in expected:
        pytest.skip(f"the fixture lists no {name}")
    found = listing(checkpoint.module(name))
    assert found == expected[name]
    assert list(found) == list(expected[name])


@pytest.mark.parametrize("name", ["G", "D", "augment_pipe"])
def test_constructor_arguments_are_those_listed(case, name: str) -> None:
    checkpoint, expected = case
    if f"{name}_init_kwargs" not in expected:
        pytest.skip(f"the fixture lists no arguments of {name}")
    for module in (name, f"{name}_ema"):
        if module in checkpoint.modules:
            assert checkpoint.module(module).init_kwargs == expected[f"{name}_init_kwargs"]


def test_attributes_and_training_set_are_those_listed(case) -> None:
    checkpoint, expected = case
    for name, attributes in expected.get("attributes", {}).items():
        found = checkpoint.module(name).attributes
        assert {key: found[key] for key in attributes} == attributes
    if "training_set_kwargs" in expected:
        assert checkpoint.training_set_kwargs == expected["training_set_kwargs"]


def test_the_generator_is_g_ema_without_what_only_snapshots_carry(case) -> None:
    checkpoint, expected = case
    if "G_ema" not in expected or "G_init_kwargs" not in expected:
        pytest.skip("the fixture lists no G_ema or no arguments of it")
    generator = checkpoint.generator
    assert [*generator.state_dict] == [name for name in expected["G_ema"] if name != "dataset_label_std"]
    assert set(generator.set_aside) == set(expected["G_ema"]) & {"dataset_label_std"}
    attributes = expected.get("attributes", {}).get("G_ema", {})
    live = attributes.get("rendering_kwargs", expected["G_init_kwargs"].get("rendering_kwargs"))
    assert generator.rendering_kwargs == live
    if "neural_rendering_resolution" in attributes:
        assert generator.neural_rendering_resolution == attributes["neural_rendering_resolution"]


@pytest.mark.parametrize("name", MODULES)
def test_a_converted_module_says_the_same(case, name: str, tmp_path: Path) -> None:
    checkpoint, expected = case
    if name not in expected:
        pytest.skip(f"the fixture lists no {name}")
    target = tmp_path / "converted.safetensors"
    write_safetensors(checkpoint, name, target)
    again = read_checkpoint(target)
    found = listing(again.module(name))
    assert list(found.items()) == list(expected[name].items())
    before = checkpoint.module(name)
    assert (again.main.init_kwargs, again.main.attributes) == (before.init_kwargs, before.attributes)
    assert again.training_set_kwargs == checkpoint.training_set_kwargs
