"""Broken and odd files of the shared data: each is answered as its manifest says, in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from _databacks.vrm import read_head_mesh
from _exchange.errors import SuiteError
from _exchange.mesh import HeadMesh
from tests.shared_data import discover, manifest

HEAD = (0.0, 1.4, 0.0)


def answer(path: Path, shading: str = "corrected", **options: object) -> HeadMesh | str:
    """The character, or the sentence that refuses the file."""
    try:
        return read_head_mesh(path, shading=shading, **options)
    except SuiteError as problem:
        return str(problem)


def assert_is_a_sentence(text: str, path: Path) -> None:
    assert text.startswith(f"{path.name}: ")
    assert "expected " in text
    assert ", found " in text
    assert text.endswith(".")
    assert "\n" not in text
    assert len(text) < 400


@pytest.mark.parametrize("path", discover("broken/*.g*") + discover("broken/*.vrm"))
def test_a_broken_file_is_answered_as_its_manifest_says(path: Path) -> None:
    outcome = next(entry["outcome"] for entry in manifest("broken") if entry["file"] == path.name)
    given = answer(path, head_position=HEAD)
    if isinstance(given, str):
        assert outcome in ("refuse", "refuse_or_warn")
        assert_is_a_sentence(given, path)
    else:
        assert outcome in ("ok", "warn", "refuse_or_warn")
        if outcome == "warn":
            assert given.notes


@pytest.mark.parametrize("path", discover("broken/*.g*") + discover("broken/*.vrm"))
def test_paper_refuses_every_broken_file_in_a_sentence(path: Path) -> None:
    given = answer(path, "paper")
    assert isinstance(given, str), "none of them is a whole VRM 0.x character"
    assert_is_a_sentence(given, path)


@pytest.mark.parametrize("shading", ["paper", "corrected"])
@pytest.mark.parametrize("path", discover("vrm_odd/*.vrm"))
def test_an_odd_file_loads_or_is_refused_in_a_sentence(path: Path, shading: str) -> None:
    given = answer(path, shading)
    if isinstance(given, str):
        assert shading == "paper", given
        assert_is_a_sentence(given, path)


def test_the_place_of_the_fault_is_named() -> None:
    places = {
        "mesh_unequal_attribute_counts.gltf": "meshes[0].primitives[0].attributes.COLOR_0: expected 3 elements",
        "mesh_indices_bad_format.gltf": "meshes[0].primitives[0].indices: expected a SCALAR accessor of unsigned",
        "node_two_parents.gltf": "nodes[1].children[0]",
        "node_infinite_transform.gltf": "nodes[0].translation[0]: expected a finite number, found inf",
        "glb_invalid_version.glb": "header.version: expected 2, found 0",
        "compressed_draco_quantized.glb": "KHR_draco_mesh_compression",
        "compressed_draco_sparse.gltf": "KHR_draco_mesh_compression",
        "vrm1_dangling_texture_index.vrm": "materials[0].pbrMetallicRoughness.baseColorTexture.index",
    }
    files = {entry["file"]: entry for entry in manifest("broken")}
    if not files:
        pytest.skip("the shared data have no broken files")
    for name, words in places.items():
        path = next(value.values[0] for value in discover(f"broken/{name}"))
        assert words in str(answer(path, head_position=HEAD))
