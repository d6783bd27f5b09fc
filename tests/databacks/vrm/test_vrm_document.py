"""The document as a whole: versions, extensions, skins, numbers, addresses, and the notes about what is odd."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from _databacks.vrm import read_attribution, read_document, read_head_mesh
from _databacks.vrm.json_path import JsonValue, describe
from _exchange.errors import FormatError
from tests.databacks.vrm.handmade import HEAD, LEFT_UPPER, TRIANGLE, character, pack_glb, write


def refusal(folder: Path, gltf: dict[str, Any], binary: bytes | None = None) -> str:
    with pytest.raises(FormatError) as problem:
        read_document(write(folder, pack_glb({"asset": {"version": "2.0"}} | gltf, binary), "a.glb"))
    return str(problem.value).removeprefix("a.glb: ")


@pytest.mark.parametrize(
    ("gltf", "words"),
    [
        ({"asset": {}}, "asset.version: expected a value, found nothing."),
        ({"asset": {"version": "1.0"}}, "asset.version: expected 2.0, found the text '1.0'."),
        ({"asset": {"version": 2.0}}, "asset.version: expected a text, found 2.0."),
        ({"asset": {"version": "2.0", "minVersion": "2.1"}}, "asset.minVersion: expected 2.0, found the text '2.1'."),
        ({"asset": []}, "asset: expected an object, found an array of length 0."),
        ({"scene": 0}, "scene: expected an index into scenes (length 0), found 0."),
        ({"scenes": [{"nodes": [0]}]}, "scenes[0].nodes[0]: expected an index into nodes (length 0), found 0."),
        ({"meshes": [{}]}, "meshes[0].primitives: expected a value, found nothing."),
        ({"meshes": [{"primitives": [{}]}]}, "meshes[0].primitives[0].attributes: expected a value, found nothing."),
        ({"extensionsRequired": [4]}, "extensionsRequired[0]: expected a text, found 4."),
        ({"extensions": {"VRM": 4}}, "extensions.VRM: expected an object, found 4."),
        ({"textures": [{"source": True}]}, "textures[0].source: expected an integer, found true."),
        ({"images": [{"uri": 4}]}, "images[0].uri: expected a text, found 4."),
        ({"images": [{"bufferView": 0}]}, "images[0].bufferView: expected an index into bufferViews (length 0)"),
        ({"buffers": [{"byteLength": 4}]}, "buffers[0]: expected a uri, or a BIN chunk for buffers[0], found neither."),
    ],
)
def test_each_fault_is_named_by_its_place(tmp_path: Path, gltf: dict[str, Any], words: str) -> None:
    assert refusal(tmp_path, gltf).startswith(words)


@pytest.mark.parametrize("name", ["KHR_materials_unlit", "VRMC_materials_mtoon", "KHR_texture_transform", "VRMC_vrm"])
def test_required_extensions_that_are_read_or_change_nothing_are_accepted(tmp_path: Path, name: str) -> None:
    builder = character()
    builder.gltf["extensionsRequired"] = [name]
    assert read_head_mesh(write(tmp_path, builder), shading="corrected").triangle_count == 1


@pytest.mark.parametrize("name", ["KHR_materials_pbrSpecularGlossiness", "EXT_mesh_gpu_instancing", "EXT_texture_webp"])
def test_required_extensions_that_change_the_picture_are_refused(tmp_path: Path, name: str) -> None:
    words = f"extensionsRequired[0]: expected an extension that this reader understands, found {name}."
    assert refusal(tmp_path, {"extensionsRequired": [name]}) == words


# -- numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", ["1" + "0" * 400, "-1" + "0" * 400, "1e400", "-1e400", "3.5e38"])
def test_a_number_beyond_float32_is_refused_however_it_is_written(tmp_path: Path, digits: str) -> None:
    text = f'{{"asset":{{"version":"2.0"}},"nodes":[{{"translation":[0,{digits},0]}}]}}'
    with pytest.raises(FormatError, match=r"nodes\[0\]\.translation\[1\]: expected a finite number, found "):
        read_document(write(tmp_path, text.encode(), "a.gltf"))


def test_the_largest_number_of_float32_is_a_number() -> None:
    assert JsonValue(3.4e38).number() == 3.4e38
    assert JsonValue(-(10**38)).number() == -1e38


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        (False, "false"),
        ("a\nb", "the text 'a\\nb'"),
        ("x" * 49, "the text '" + "x" * 48 + "'…"),
        ([1, 2], "an array of length 2"),
        ({"a": 1}, "an object with 1 keys"),
        (-(10**20), "an integer beyond 10^20"),
        (0.5, "0.5"),
    ],
)
def test_what_was_found_fits_on_one_line(value: object, words: str) -> None:
    assert describe(value) == words


def test_odd_keys_are_quoted_in_the_place() -> None:
    root = JsonValue({"a b": [{"ü": {"x" * 60: 1}}]})
    with pytest.raises(FormatError) as problem:
        root["a b"].entries()[0]["ü"]["x" * 60].text()
    assert problem.value.place == f"'a b'[0].ü.{'x' * 48!r}"


# -- skins ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skin", "words"),
    [
        ({}, "skins[0].joints: expected a value, found nothing."),
        ({"joints": []}, "skins[0].joints: expected 1 to 262144 joints in all skins, found 0."),
        ({"joints": [1]}, "skins[0].joints[0]: expected an index into nodes (length 1), found 1."),
        ({"joints": [0], "skeleton": 4}, "skins[0].skeleton: expected an index into nodes"),
        (
            {"joints": [0], "inverseBindMatrices": 1},
            "skins[0].inverseBindMatrices: expected a MAT4 accessor of float32",
        ),
        (
            {"joints": [0, 0], "inverseBindMatrices": 0},
            "skins[0].inverseBindMatrices: expected at least 2 matrices, one per joint, found 1.",
        ),
    ],
)
def test_bad_skins_are_refused(tmp_path: Path, skin: dict[str, Any], words: str) -> None:
    accessors = [
        {"componentType": 5126, "type": "MAT4", "count": 1},
        {"componentType": 5126, "type": "VEC4", "count": 4},
    ]
    gltf = {"nodes": [{}], "skins": [skin], "accessors": accessors}
    assert refusal(tmp_path, gltf).startswith(words)


def test_more_bind_matrices_than_joints_do_no_harm(tmp_path: Path) -> None:
    builder = character()
    binds = np.tile(np.eye(4, dtype=np.float32), (9, 1, 1))
    binds[HEAD, :3, 3] = [0, -1.5, 0]
    builder.gltf["skins"][0]["inverseBindMatrices"] = builder.accessor(binds)
    for shading in ("paper", "corrected"):
        mesh = read_head_mesh(write(tmp_path, builder), shading=shading)
        np.testing.assert_allclose(mesh.parts[0].positions + mesh.loc_origin, TRIANGLE, atol=1e-6)


def test_a_node_that_is_joint_twice_is_one_joint(tmp_path: Path) -> None:
    builder = character(positions=TRIANGLE, joint=7)
    builder.gltf["skins"][0]["joints"].append(LEFT_UPPER)
    binds = np.tile(np.eye(4, dtype=np.float32), (8, 1, 1))
    binds[[LEFT_UPPER, 7], :3, 3] = [0.15, -1.3, 0]
    builder.gltf["skins"][0]["inverseBindMatrices"] = builder.accessor(binds)
    path = write(tmp_path, builder)
    drawn = [read_head_mesh(path, shading=shading) for shading in ("paper", "corrected")]
    paper, corrected = (mesh.parts[0].positions + mesh.loc_origin for mesh in drawn)
    np.testing.assert_allclose(paper, corrected, atol=1e-6)
    assert np.abs(paper - TRIANGLE).max() > 0.05, "the arm has turned"


# -- addresses --------------------------------------------------------------------------------------------------

PAYLOAD = base64.b64encode(b"\xfb\xff\xfe~").decode()
"""With a plus, a slash and padding: ``+//+fg==``."""


@pytest.mark.parametrize(
    "uri",
    [
        f"data:application/octet-stream;base64,{PAYLOAD}",
        f"data:application/gltf-buffer;base64,{PAYLOAD}",
        f"data:;base64,{PAYLOAD}",
        f"DATA:text/plain;charset=utf-8;BASE64,{PAYLOAD}",
        "data:application/octet-stream;base64," + PAYLOAD.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"),
        "data:,%fb%FF%fe~",
        "data:application/octet-stream,%fb%FF%fe%7E",
        "beside.bin",
        "./beside.bin",
        "%62eside.bin",
        "inner/beside.bin",
        "link/beside.bin",
        "gr%C3%BCn%20%23%3f.bin",
    ],
)
def test_every_way_to_address_a_buffer_gives_its_bytes(tmp_path: Path, uri: str) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "inner")
    for name in ("beside.bin", "inner/beside.bin", "grün #?.bin"):
        (tmp_path / name).write_bytes(b"\xfb\xff\xfe~")
    gltf = {"buffers": [{"byteLength": 4, "uri": uri}], "bufferViews": [{"buffer": 0, "byteLength": 4}]}
    path = write(tmp_path, pack_glb({"asset": {"version": "2.0"}} | gltf), "a.glb")
    assert bytes(read_document(path).accessors.views[0].data) == b"\xfb\xff\xfe~"


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer" / "secret.bin").write_bytes(b"secret")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "link").symlink_to(tmp_path / "outer")
    gltf = {"buffers": [{"byteLength": 4, "uri": "link/secret.bin"}]}
    assert "'link/secret.bin', which leads out of it" in refusal(tmp_path / "model", gltf)


@pytest.mark.parametrize("uri", ["\ud800.bin", "x" * 5000, "a\nb.bin", "file:beside.bin", "//host/a.bin"])
def test_names_that_no_file_can_have_are_one_sentence(tmp_path: Path, uri: str) -> None:
    words = refusal(tmp_path, {"buffers": [{"byteLength": 4, "uri": uri}]})
    assert words.startswith("buffers[0].uri: expected ")
    assert "\n" not in words
    words.encode("utf-8")


# -- what is odd and yet read -----------------------------------------------------------------------------------


def test_oddities_are_noted_once_each(tmp_path: Path) -> None:
    builder = character()
    accessors, primitives = builder.gltf["accessors"], builder.gltf["meshes"][0]["primitives"]
    position = primitives[0]["attributes"]["POSITION"]
    del accessors[position]["min"]
    builder.append("accessors", {"componentType": 5126, "type": "SCALAR", "count": 1, "byteOffset": 4})
    primitives += [dict(primitives[0]), {"attributes": {}}]
    assert read_head_mesh(write(tmp_path, builder), shading="corrected").notes == (
        f"accessors[{len(accessors) - 1}].byteOffset: an offset without bufferView was ignored.",
        f"accessors[{position}]: positions without min and max; the data themselves count.",
        "meshes[0].primitives[2].attributes: a primitive without POSITION was skipped.",
    )


def test_a_plain_glb_carries_its_copyright(tmp_path: Path) -> None:
    builder = character("")
    builder.gltf["asset"]["copyright"] = "© A. Uthor"
    assert read_attribution(write(tmp_path, builder, "a.glb")) == {"copyright": "© A. Uthor"}
    assert read_attribution(write(tmp_path, character("0.x"))) == {}


def test_a_given_head_counts_only_where_the_file_has_none(tmp_path: Path) -> None:
    builder = character()
    given = (0.0, 9.0, 0.0)
    mesh = read_head_mesh(write(tmp_path, builder), shading="corrected", head_position=given)
    np.testing.assert_allclose(mesh.loc_origin, [0, 1.6, 0], atol=1e-6)
    bones = builder.gltf["extensions"]["VRM"]["humanoid"]["humanBones"]
    bones[:] = [bone for bone in bones if bone["bone"] != "head"]
    mesh = read_head_mesh(write(tmp_path, builder), shading="corrected", head_position=given)
    np.testing.assert_allclose(mesh.loc_origin, [0, 9.1, 0], atol=1e-6)
    assert mesh.notes == ("extensions.VRM.humanoid.humanBones: there is no head bone; the given position counts.",)
