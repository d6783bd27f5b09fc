"""The VRM blocks: bones, versions, attribution, expressions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from _databacks.vrm import read_attribution, read_document, read_head_mesh
from _exchange.errors import FormatError
from tests.databacks.vrm.handmade import HEAD, character, write


def with_meta(folder: Path, version: str, meta: dict[str, Any]) -> Path:
    builder = character(version)
    next(iter(builder.gltf["extensions"].values()))["meta"] = meta
    return write(folder, builder)


def test_attribution_of_vrm0(tmp_path: Path) -> None:
    meta = {"title": "Ann", "author": " A. Uthor ", "licenseName": "CC_BY", "version": "", "texture": 4}
    path = with_meta(tmp_path, "0.x", meta | {"violentUssageName": "Disallow"})
    assert read_attribution(path) == {
        "title": "Ann",
        "author": "A. Uthor",
        "licenseName": "CC_BY",
        "violentUssageName": "Disallow",
        "licence": "CC_BY",
    }
    for shading in ("paper", "corrected"):
        assert read_head_mesh(path, shading=shading).attribution["author"] == "A. Uthor"


def test_attribution_of_vrm1(tmp_path: Path) -> None:
    meta = {
        "name": "Ann",
        "authors": ["A. Uthor", "B. Rush"],
        "licenseUrl": "https://vrm.dev/licenses/1.0/",
        "otherLicenseUrl": "https://example.org/terms",
        "allowRedistribution": True,
        "thumbnailImage": 0,
    }
    found = read_attribution(with_meta(tmp_path, "1.0", meta))
    assert found["title"] == "Ann"
    assert found["author"] == "A. Uthor, B. Rush"
    assert found["licence"] == "https://vrm.dev/licenses/1.0/ https://example.org/terms"
    assert found["allowRedistribution"] == "true"
    assert "thumbnailImage" not in found


def test_texts_that_no_file_can_hold_are_mended(tmp_path: Path) -> None:
    found = read_attribution(with_meta(tmp_path, "0.x", {"title": "x" * 100_000}))["title"]
    assert len(found) < 10_000
    text = character().to_bytes().replace(b'"specVersion":"0.0"', b'"meta":{"author":"\\ud800"}')
    body = text[12:]
    size = int.from_bytes(body[:4], "little") + len(text) - len(character().to_bytes())
    padded = bytes(-size % 4).replace(b"\0", b" ")
    start = 8 + size
    octets = (size + len(padded)).to_bytes(4, "little") + body[4:start] + padded + body[start:]
    path = write(tmp_path, b"glTF\x02\0\0\0" + (12 + len(octets)).to_bytes(4, "little") + octets)
    assert read_attribution(path)["author"] == "?"


def test_a_bone_that_is_not_set_is_absent(tmp_path: Path) -> None:
    builder = character()
    bones = builder.gltf["extensions"]["VRM"]["humanoid"]["humanBones"]
    bones.append({"bone": "jaw", "node": -1})
    humanoid = read_document(write(tmp_path, builder)).humanoid
    assert humanoid.bones["head"] == HEAD
    assert "jaw" not in humanoid.bones


@pytest.mark.parametrize("version", ["0.x", "1.0"])
def test_without_head_the_bones_found_are_named(tmp_path: Path, version: str) -> None:
    builder = character(version)
    humanoid = next(iter(builder.gltf["extensions"].values()))["humanoid"]
    humanoid["humanBones"] = [{"bone": "hips", "node": 0}] if version == "0.x" else {"hips": {"node": 0}}
    with pytest.raises(FormatError, match=r"humanoid\.humanBones: expected the bone head, found hips\."):
        read_head_mesh(write(tmp_path, builder), shading="corrected")


@pytest.mark.parametrize(
    ("version", "block", "words"),
    [
        ("0.x", [], "extensions.VRM: expected an object, found an array"),
        ("0.x", {"humanoid": {"humanBones": {}}}, "humanBones: expected an array"),
        ("0.x", {"humanoid": {"humanBones": [{"bone": "head", "node": 99}]}}, "humanBones[0].node: expected an index"),
        ("0.x", {"humanoid": {"humanBones": [{"bone": 4, "node": 0}]}}, "humanBones[0].bone: expected a text, found 4"),
        ("0.x", {"meta": "mine"}, "extensions.VRM.meta: expected an object"),
        ("0.x", {"materialProperties": [4]}, "materialProperties[0]: expected an object, found 4"),
        ("1.0", None, "extensions.VRMC_vrm: expected an object, found null"),
        ("1.0", {"humanoid": {"humanBones": []}}, "humanBones: expected an object"),
        ("1.0", {"humanoid": {"humanBones": {"head": {}}}}, "humanBones.head.node: expected a value, found nothing"),
    ],
)
def test_blocks_of_a_wrong_shape_are_refused(tmp_path: Path, version: str, block: Any, words: str) -> None:
    builder = character(version)
    builder.gltf["extensions"] = {"VRM" if version == "0.x" else "VRMC_vrm": block}
    with pytest.raises(FormatError, match="extensions") as problem:
        read_head_mesh(write(tmp_path, builder), shading="corrected")
    assert words in str(problem.value)


def test_expressions_that_name_missing_morph_targets_are_noted(tmp_path: Path) -> None:
    builder = character("1.0")
    happy = {"morphTargetBinds": [{"node": 7, "index": 0, "weight": 1}]}
    builder.gltf["extensions"]["VRMC_vrm"]["expressions"] = {"preset": {"happy": happy}}
    notes = read_head_mesh(write(tmp_path, builder), shading="corrected").notes
    place = "extensions.VRMC_vrm.expressions.preset.happy.morphTargetBinds[0].index"
    assert notes == (f"{place}: morph target 0 of 0 was skipped.",)


def test_damaged_expressions_do_not_stop_the_rest(tmp_path: Path) -> None:
    builder = character("0.x")
    builder.gltf["extensions"]["VRM"]["blendShapeMaster"] = {"blendShapeGroups": [{"binds": [{"mesh": "a"}]}]}
    mesh = read_head_mesh(write(tmp_path, builder), shading="corrected")
    assert len(mesh.parts) == 1
    assert mesh.notes[0].endswith("found the text 'a'; the expressions were skipped.")


def test_of_two_blocks_the_newer_counts(tmp_path: Path) -> None:
    builder = character("1.0", turned=True)
    builder.gltf["extensions"]["VRM"] = {"humanoid": {"humanBones": []}}
    assert read_head_mesh(write(tmp_path, builder), shading="corrected").vrm_version == "1.0"
