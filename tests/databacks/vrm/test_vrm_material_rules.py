"""Materials, rule by rule: which entry of which block counts, and what happens where one is absent (§12.2, §12.3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from _databacks.vrm import read_head_mesh
from _exchange.errors import FormatError
from _exchange.mesh import Material, Part
from tests.databacks.vrm.handmade import add_mesh, character, write


def part(
    folder: Path,
    material: dict[str, Any],
    *,
    properties: list[dict[str, Any]] | None = None,
    version: str = "0.x",
    info: dict[str, Any] | None = None,
) -> Part:
    builder = character(version)
    pbr = {"baseColorTexture": {"index": 0} | (info or {})} | material.get("pbrMetallicRoughness", {})
    builder.gltf["materials"][0] = material | {"pbrMetallicRoughness": pbr}
    if properties is not None:
        builder.gltf["extensions"]["VRM"]["materialProperties"] = properties
    return read_head_mesh(write(folder, builder), shading="corrected").parts[0]


def look(folder: Path, material: dict[str, Any], **options: Any) -> Material:
    return part(folder, material, **options).material


def mtoon1(**fields: Any) -> dict[str, Any]:
    return {"extensions": {"VRMC_materials_mtoon": fields}}


LINEAR = {"pbrMetallicRoughness": {"baseColorFactor": [0.2140, 0.2140, 0.2140, 1]}}
"""Half in sRGB: ((0.5 + 0.055) / 1.055)^2.4."""


@pytest.mark.parametrize("shader", ["VRM/UnlitTexture", "VRM_USE_GLTFSHADER", "Standard", "vrm/mtoon", "MToon"])
def test_the_fields_of_other_shaders_do_not_count(tmp_path: Path, shader: str) -> None:
    properties = {
        "shader": shader,
        "renderQueue": 2501,
        "vectorProperties": {"_Color": [1, 0, 0, 1]},
        "floatProperties": {"_CullMode": 0, "_BlendMode": 3},
    }
    found = look(tmp_path, LINEAR | {"alphaMode": "BLEND"}, properties=[properties])
    np.testing.assert_allclose(found.color_factor, [0.5, 0.5, 0.5, 1], atol=1e-4)
    assert (found.cull, found.render_queue, found.writes_depth_when_blended) == ("back", 3000, False)


def test_mtoon_without_color_falls_back_to_the_factor(tmp_path: Path) -> None:
    for properties in ({"shader": "VRM/MToon"}, {"shader": "VRM/MToon", "vectorProperties": {"_ShadeColor": [0] * 4}}):
        found = look(tmp_path, LINEAR, properties=[properties]).color_factor
        np.testing.assert_allclose(found, [0.5, 0.5, 0.5, 1], atol=1e-4)


def test_a_material_without_an_entry_of_its_own_takes_none(tmp_path: Path) -> None:
    builder = character()
    builder.gltf["materials"].append(builder.gltf["materials"][0] | LINEAR)
    add_mesh(builder, np.array([[0, 1.5, 0], [0.1, 1.5, 0], [0, 1.6, 0]]))["material"] = 1
    builder.append("nodes", {"mesh": 1, "skin": 0})
    builder.gltf["scenes"][0]["nodes"].append(8)
    entry = {"shader": "VRM/MToon", "vectorProperties": {"_Color": [0.1, 0.2, 0.3, 1]}}
    builder.gltf["extensions"]["VRM"]["materialProperties"] = [entry]
    first, second = read_head_mesh(write(tmp_path, builder), shading="corrected").parts
    assert first.material.color_factor == (0.1, 0.2, 0.3, 1)
    np.testing.assert_allclose(second.material.color_factor, [0.5, 0.5, 0.5, 1], atol=1e-4)


@pytest.mark.parametrize(
    ("linear", "srgb"), [(0.0, 0.0), (0.0031308, 0.04045), (0.0031309, 0.04045), (0.5, 0.735357), (1.0, 1.0)]
)
def test_the_two_branches_of_srgb_meet(tmp_path: Path, linear: float, srgb: float) -> None:
    material = {"pbrMetallicRoughness": {"baseColorFactor": [linear, linear, linear, linear]}}
    found = look(tmp_path, material).color_factor
    np.testing.assert_allclose(found[:3], srgb, atol=2e-6)
    assert found[3] == linear, "alpha is no colour"


@pytest.mark.parametrize(("mode", "queue"), [("OPAQUE", 2007), ("MASK", 2457), ("BLEND", 3007)])
def test_the_queue_of_vrm1_is_its_mode_plus_its_offset(tmp_path: Path, mode: str, queue: int) -> None:
    material = {"alphaMode": mode} | mtoon1(renderQueueOffsetNumber=7)
    found = look(tmp_path, material, version="1.0")
    assert (found.render_queue, found.writes_depth_when_blended) == (queue, False)


@pytest.mark.parametrize(("queue", "expected"), [(-1, 3000), (0, 0), (2450, 2450), (3000.0, 3000)])
def test_a_queue_of_vrm0_counts_from_zero_on(tmp_path: Path, queue: float, expected: int) -> None:
    properties = [{"shader": "VRM/MToon", "renderQueue": queue}]
    assert look(tmp_path, {"alphaMode": "BLEND"}, properties=properties).render_queue == expected


def test_mtoon_of_vrm1_leaves_colour_and_culling_to_gltf(tmp_path: Path) -> None:
    material = LINEAR | {"doubleSided": True} | mtoon1(shadeColorFactor=[1, 0, 0], outlineWidthMode="none")
    found = look(tmp_path, material, version="1.0")
    np.testing.assert_allclose(found.color_factor, [0.5, 0.5, 0.5, 1], atol=1e-4)
    assert found.cull == "none"


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"floatProperties": {"_CullMode": 3}}, "floatProperties._CullMode: expected an integer in 0..2, found 3"),
        ({"floatProperties": {"_BlendMode": "3"}}, "floatProperties._BlendMode: expected a number"),
        ({"vectorProperties": {"_Color": [1, 1, 1]}}, "vectorProperties._Color: expected an array of 4 numbers"),
        ({"vectorProperties": []}, "vectorProperties: expected an object"),
        ({"renderQueue": 1e9}, "renderQueue: expected an integer in -1000000..1000000"),
    ],
)
def test_wrong_fields_of_mtoon_are_refused_with_their_place(
    tmp_path: Path, properties: dict[str, Any], words: str
) -> None:
    with pytest.raises(FormatError) as problem:
        look(tmp_path, {}, properties=[{"shader": "VRM/MToon"} | properties])
    assert f"extensions.VRM.materialProperties[0].{words}" in str(problem.value)


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [({"wrapS": 33648}, ("mirror", "repeat")), ({"wrapT": 33071}, ("repeat", "clamp"))],
)
def test_each_axis_wraps_for_itself(tmp_path: Path, sampler: dict[str, int], expected: tuple[str, str]) -> None:
    builder = character()
    builder.gltf["samplers"] = [{}, sampler]
    builder.gltf["textures"][0]["sampler"] = 1
    texture = read_head_mesh(write(tmp_path, builder), shading="corrected").parts[0].material.texture
    assert (texture.wrap_u, texture.wrap_v) == expected


@pytest.mark.parametrize(
    ("key", "code"), [("magFilter", 9987), ("minFilter", 9985.5), ("minFilter", -1), ("wrapT", "x")]
)
def test_unknown_sampler_codes_are_refused(tmp_path: Path, key: str, code: Any) -> None:
    builder = character()
    builder.gltf["samplers"] = [{key: code}]
    with pytest.raises(FormatError, match=rf"samplers\[0\]\.{key}: expected "):
        read_head_mesh(write(tmp_path, builder), shading="corrected")


# -- texture coordinates ----------------------------------------------------------------------------------------


def transformed(**fields: Any) -> dict[str, Any]:
    return {"extensions": {"KHR_texture_transform": fields}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [0.25, 0.75]),
        ({"offset": [0.5, -0.5]}, [0.75, 0.25]),
        ({"scale": [-2, 4]}, [-0.5, 3.0]),
        ({"rotation": np.pi}, [-0.25, -0.75]),
        ({"rotation": np.pi / 2}, [0.75, -0.25]),
        ({"offset": [1, 0], "scale": [0, 0]}, [1, 0]),
    ],
)
def test_absent_fields_of_a_texture_transform_change_nothing(
    tmp_path: Path, fields: dict[str, Any], expected: list[float]
) -> None:
    np.testing.assert_allclose(part(tmp_path, {}, info=transformed(**fields)).uv[0], expected, atol=1e-6)


def test_a_set_of_coordinates_that_the_mesh_lacks_leaves_the_factor(tmp_path: Path) -> None:
    found = part(tmp_path, LINEAR, info={"texCoord": 1})
    assert found.material.texture is None
    assert not found.uv.any()
    np.testing.assert_allclose(found.material.color_factor, [0.5, 0.5, 0.5, 1], atol=1e-4)


def test_the_set_that_a_transform_names_counts_though_it_is_zero(tmp_path: Path) -> None:
    info = {"texCoord": 1} | transformed(texCoord=0)
    np.testing.assert_array_equal(part(tmp_path, {}, info=info).uv[0], [0.25, 0.75])


def test_coordinates_that_a_transform_throws_out_of_float32_are_refused(tmp_path: Path) -> None:
    for fields in ({"scale": [3e38, 3e38]}, {"offset": [0, -1e7]}):
        with pytest.raises(FormatError, match=r"materials\[0\].*baseColorTexture\.extensions: expected coordinates"):
            part(tmp_path, {}, info=transformed(**fields))


def test_two_materials_on_one_mesh_see_its_coordinates_each_through_its_own_transform(tmp_path: Path) -> None:
    builder = character()
    plain = builder.gltf["materials"][0]
    moved = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0} | transformed(offset=[0.5, 0])}}
    builder.gltf["materials"] = [plain, moved]
    primitives = builder.gltf["meshes"][0]["primitives"]
    primitives.append(primitives[0] | {"material": 1})
    first, second = read_head_mesh(write(tmp_path, builder), shading="corrected").parts
    np.testing.assert_allclose(second.uv - first.uv, np.tile([0.5, 0], (3, 1)), atol=1e-6)


def test_normalised_coordinates_are_fractions(tmp_path: Path) -> None:
    builder = character()
    uv = builder.accessor(np.tile(np.array([[51, 255]], np.uint8), (3, 1)), normalized=True)
    builder.gltf["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"] = uv
    for shading in ("paper", "corrected"):
        found = read_head_mesh(write(tmp_path, builder), shading=shading).parts[0].uv[0]
        np.testing.assert_allclose(found, [0.2, 1], atol=1e-7)
