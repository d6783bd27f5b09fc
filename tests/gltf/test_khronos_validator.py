"""Everything we write passes the Khronos glTF validator without errors."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from _databacks.characters import SAMPLE_SEEDS, write_character
from _exchange.glb import write_mesh_glb
from _exchange.items import Alignment, ItemId, MethodInput, Region
from _exchange.mesh import Mesh
from _exchange.protocol import CORRECTED
from _methods.interface import MethodSettings
from _methods.registry import find
from tests.training.closed_form_fields import ClosedFormEngine, any_field
from training.texture_bake import textured
from training.volume import Export, mesh_of_field

REPOSITORY = Path(__file__).resolve().parents[2]
NODE_MODULES = REPOSITORY / "_env" / "node_modules"
OTHER_SEEDS = (1001, 1002, 1003)


@pytest.fixture(scope="module")
def validate():
    """A function that raises with the validator's messages for files with errors."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if not (NODE_MODULES / "gltf-validator").is_dir():
        pytest.skip("the npm package gltf-validator is not installed below _env")

    def run(*files: Path) -> None:
        script = Path(__file__).with_name("validate.js")
        command = ["node", str(script), str(NODE_MODULES), *map(str, files)]
        result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
        reports = json.loads(result.stdout)
        assert len(reports) == len(files)
        for report in reports:
            assert report["errors"] == 0, (Path(report["file"]).name, report["messages"])

    return run


def test_the_validator_sees_a_damaged_file(validate, tmp_path: Path) -> None:
    path = tmp_path / "wrong.glb"
    write_mesh_glb(path, Mesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]])))
    path.write_bytes(path.read_bytes().replace(b'"count":3', b'"count":9', 1))
    with pytest.raises(AssertionError, match="wrong"):
        validate(path)


@pytest.mark.parametrize("seed", [*SAMPLE_SEEDS, *OTHER_SEEDS])
def test_characters(validate, tmp_path: Path, seed: int) -> None:
    write_character(seed, tmp_path / "character.vrm")
    validate(tmp_path / "character.vrm")


@pytest.mark.parametrize("colors", [True, False])
def test_bare_meshes(validate, tmp_path: Path, colors: bool) -> None:
    rgba = np.full((3, 4), 200, np.uint8) if colors else None
    write_mesh_glb(tmp_path / "mesh.glb", Mesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]]), rgba))
    validate(tmp_path / "mesh.glb")


def test_textured_surfaces(validate, tmp_path: Path) -> None:
    """A rough one, whose slivers and folds could leave vertices without a normal."""
    engine = ClosedFormEngine(lambda points: 500 * torch.sin(points * 60).sum(-1))
    surface = mesh_of_field(engine, any_field(), Export.of({"triplane_crop": 0.1}, 20, CORRECTED))
    textured(engine, any_field(), surface, 64).write_glb(tmp_path / "mesh.glb")
    validate(tmp_path / "mesh.glb")


@pytest.mark.parametrize("name", ["inflate", "billboard", "mean_head"])
def test_meshes_of_methods(validate, tmp_path: Path, name: str) -> None:
    portrait = np.zeros((512, 512, 4), np.uint8)
    portrait[150:400, 180:330] = 180, 120, 90, 255
    alignment = Alignment("drawn here", np.eye(3), Region(100, 100, 300, 300), np.zeros((0, 3)))
    method = find(name).load(MethodSettings())
    method.set_item(MethodInput(ItemId("a", "b"), portrait, alignment))
    write_mesh_glb(tmp_path / "mesh.glb", method.mesh(96))
    validate(tmp_path / "mesh.glb")
