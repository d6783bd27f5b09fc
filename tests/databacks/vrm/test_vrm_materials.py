"""Materials: colour factors, samplers, texture transforms, culling, alpha and drawing queues of both shadings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from _databacks.vrm import read_head_mesh
from _exchange.errors import FormatError
from _exchange.mesh import Material, Part
from tests.databacks.vrm.handmade import character, write


def part(
    folder: Path,
    material: dict[str, Any],
    *,
    shading: str = "corrected",
    properties: dict[str, Any] | None = None,
    version: str = "0.x",
    texture_info: dict[str, Any] | None = None,
    sampler: dict[str, Any] | None = None,
) -> Part:
    builder = character(version)
    info = {"index": 0} | (texture_info or {})
    pbr = {"baseColorTexture": info} | material.pop("pbrMetallicRoughness", {})
    builder.gltf["materials"][0] = {"pbrMetallicRoughness": pbr} | material
    if properties is not None:
        builder.gltf["extensions"]["VRM"]["materialProperties"] = [properties]
    if sampler is not None:
        builder.gltf["samplers"] = [sampler]
        builder.gltf["textures"][0]["sampler"] = 0
    return read_head_mesh(write(folder, builder), shading=shading).parts[0]


def look(folder: Path, material: dict[str, Any], **options: Any) -> Material:
    return part(folder, material, **options).material


def mtoon(**properties: Any) -> dict[str, Any]:
    return {"shader": "VRM/MToon"} | properties


def test_paper_takes_the_factor_as_stored(tmp_path: Path) -> None:
    material = {"pbrMetallicRoughness": {"baseColorFactor": [0.4735, 0.5, 1, 0.75]}}
    found = look(tmp_path, material, shading="paper", properties=mtoon(vectorProperties={"_Color": [1, 0, 0, 1]}))
    assert found.color_factor == (0.4735, 0.5, 1, 0.75)


def test_corrected_turns_the_linear_factor_into_srgb(tmp_path: Path) -> None:
    # the pairs of renderer.md §12.2, measured in VRoid files
    material = {"pbrMetallicRoughness": {"baseColorFactor": [0.4735, 0.0434, 0.001, 0.5]}}
    found = look(tmp_path, material).color_factor
    np.testing.assert_allclose(found, [0.7176, 0.2304, 0.01292, 0.5], atol=1e-4)


def test_the_color_of_mtoon_is_srgb_already(tmp_path: Path) -> None:
    material = {"pbrMetallicRoughness": {"baseColorFactor": [0, 0, 0, 0.5]}}
    found = look(tmp_path, material, properties=mtoon(vectorProperties={"_Color": [0.2, 0.4, 0.6, 0.8]}))
    assert found.color_factor == (0.2, 0.4, 0.6, 0.5)


def test_other_shaders_do_not_set_the_color(tmp_path: Path) -> None:
    properties = {"shader": "VRM_USE_GLTFSHADER", "renderQueue": 2000, "vectorProperties": {"_Color": [0, 0, 0, 1]}}
    found = look(tmp_path, {"alphaMode": "BLEND"}, properties=properties)
    assert found.color_factor == (1, 1, 1, 1)
    assert found.render_queue == 3000


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [
        ({}, ("repeat", "repeat", "linear", "trilinear")),
        ({"wrapS": 33071, "wrapT": 33648}, ("clamp", "mirror", "linear", "trilinear")),
        ({"magFilter": 9728, "minFilter": 9728}, ("repeat", "repeat", "nearest", "nearest")),
        ({"minFilter": 9729}, ("repeat", "repeat", "linear", "linear")),
        ({"minFilter": 9984}, ("repeat", "repeat", "linear", "nearest")),
        ({"minFilter": 9986}, ("repeat", "repeat", "linear", "nearest")),
        ({"minFilter": 9985}, ("repeat", "repeat", "linear", "trilinear")),
        ({"minFilter": 9987}, ("repeat", "repeat", "linear", "trilinear")),
    ],
)
def test_samplers(tmp_path: Path, sampler: dict[str, int], expected: tuple[str, ...]) -> None:
    texture = look(tmp_path, {}, sampler=sampler).texture
    assert (texture.wrap_u, texture.wrap_v, texture.magnify, texture.minify) == expected
    texture = look(tmp_path, {}, sampler=sampler, shading="paper").texture
    assert (texture.wrap_u, texture.wrap_v, texture.magnify, texture.minify) == (
        "repeat",
        "repeat",
        "linear",
        "trilinear",
    )


def test_an_unknown_wrap_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"samplers\[0\]\.wrapS: expected one of 10497, 33071, 33648, found 1"):
        look(tmp_path, {}, sampler={"wrapS": 1})


def test_texture_transform_scales_then_turns_then_shifts(tmp_path: Path) -> None:
    # uv (0.25, 0.75): scaled (0.5, 0.75); R of 90° = [[0, 1], [−1, 0]] → (0.75, −0.5); shifted (0.85, −0.3)
    transform = {"offset": [0.1, 0.2], "rotation": np.pi / 2, "scale": [2, 1]}
    info = {"extensions": {"KHR_texture_transform": transform}}
    np.testing.assert_allclose(part(tmp_path, {}, texture_info=info).uv[0], [0.85, -0.3], atol=1e-6)
    np.testing.assert_array_equal(part(tmp_path, {}, texture_info=info, shading="paper").uv[0], [0.25, 0.75])


@pytest.mark.parametrize("transform", [None, {"texCoord": 1}])
def test_the_second_set_of_coordinates(tmp_path: Path, transform: dict[str, Any] | None) -> None:
    builder = character()
    uv = builder.accessor(np.tile(np.array([[0.5, 0.625]], np.float32), (3, 1)))
    builder.gltf["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_1"] = uv
    info: dict[str, Any] = {"index": 0, "texCoord": 1}
    if transform is not None:
        info = {"index": 0, "texCoord": 0, "extensions": {"KHR_texture_transform": transform}}
    builder.gltf["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"] = info
    path = write(tmp_path, builder)
    np.testing.assert_array_equal(read_head_mesh(path, shading="corrected").parts[0].uv[0], [0.5, 0.625])
    np.testing.assert_array_equal(read_head_mesh(path, shading="paper").parts[0].uv[0], [0.25, 0.75])


@pytest.mark.parametrize(
    ("material", "properties", "cull"),
    [
        ({}, None, "back"),
        ({"doubleSided": True}, None, "none"),
        ({"doubleSided": True}, mtoon(floatProperties={"_CullMode": 2.0}), "back"),
        ({}, mtoon(floatProperties={"_CullMode": 0}), "none"),
        ({}, mtoon(floatProperties={"_CullMode": 1}), "front"),
        ({}, mtoon(floatProperties={}), "back"),
    ],
)
def test_culling(tmp_path: Path, material: dict[str, Any], properties: dict[str, Any] | None, cull: str) -> None:
    assert look(tmp_path, dict(material), properties=properties).cull == cull
    assert look(tmp_path, dict(material), properties=properties, shading="paper").cull == "none"


def test_alpha_mode_and_cutoff(tmp_path: Path) -> None:
    found = look(tmp_path, {"alphaMode": "MASK", "alphaCutoff": 0.3})
    assert (found.alpha_mode, found.alpha_cutoff) == ("MASK", 0.3)
    assert look(tmp_path, {"alphaMode": "MASK"}).alpha_cutoff == 0.5
    with pytest.raises(FormatError, match=r"materials\[0\]\.alphaMode: expected OPAQUE, MASK or BLEND"):
        look(tmp_path, {"alphaMode": "GLASS"})


@pytest.mark.parametrize(
    ("mode", "properties", "queue", "writes"),
    [
        ("OPAQUE", None, 2000, False),
        ("MASK", None, 2450, False),
        ("BLEND", None, 3000, False),
        ("BLEND", mtoon(renderQueue=2998), 2998, False),
        ("BLEND", mtoon(renderQueue=-1), 3000, False),
        ("BLEND", mtoon(floatProperties={"_BlendMode": 3}), 3000, True),
        ("BLEND", mtoon(floatProperties={"_BlendMode": 2}), 3000, False),
    ],
)
def test_queues_of_vrm0(tmp_path: Path, mode: str, properties: dict[str, Any] | None, queue: int, writes: bool) -> None:
    found = look(tmp_path, {"alphaMode": mode}, properties=properties)
    assert (found.render_queue, found.writes_depth_when_blended) == (queue, writes)


def test_queues_of_vrm1(tmp_path: Path) -> None:
    block = {"renderQueueOffsetNumber": -3, "transparentWithZWrite": True}
    material = {"alphaMode": "BLEND", "extensions": {"VRMC_materials_mtoon": block}}
    found = look(tmp_path, material, version="1.0")
    assert (found.render_queue, found.writes_depth_when_blended) == (2997, True)


def test_without_material_a_primitive_is_white_opaque_and_single_sided(tmp_path: Path) -> None:
    builder = character()
    del builder.gltf["meshes"][0]["primitives"][0]["material"]
    path = write(tmp_path, builder)
    found = read_head_mesh(path, shading="corrected").parts[0].material
    assert (found.color_factor, found.texture, found.alpha_mode, found.cull) == ((1, 1, 1, 1), None, "OPAQUE", "back")
    assert read_head_mesh(path, shading="paper").parts == ()


@pytest.mark.parametrize("lost", ["texture", "coordinates"])
def test_without_texture_or_coordinates_corrected_draws_the_factor_and_paper_nothing(tmp_path: Path, lost: str) -> None:
    builder = character()
    if lost == "texture":
        builder.gltf["materials"][0] = {"pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, 0.5]}}
    else:
        del builder.gltf["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"]
    path = write(tmp_path, builder)
    found = read_head_mesh(path, shading="corrected").parts[0]
    assert found.material.texture is None
    assert not found.uv.any()
    mesh = read_head_mesh(path, shading="paper")
    assert mesh.parts == ()
    assert mesh.notes[0] == "meshes[0].primitives[0]: without texture it is not drawn."


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"pbrMetallicRoughness": {"baseColorTexture": {"index": 9}}},
            "baseColorTexture.index: expected an index into",
        ),
        ({"pbrMetallicRoughness": {"baseColorTexture": {}}}, "baseColorTexture.index: expected a value, found nothing"),
        ({"pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1]}}, "baseColorFactor: expected an array of 4 numbers"),
        ({"pbrMetallicRoughness": []}, "pbrMetallicRoughness: expected an object, found an array of length 0"),
        ({"doubleSided": "yes"}, "doubleSided: expected true or false, found the text 'yes'"),
        ({"alphaCutoff": [1]}, "alphaCutoff: expected a number, found an array of length 1"),
    ],
)
def test_wrong_materials_are_refused_with_their_place(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    builder = character()
    builder.gltf["materials"][0] = change
    with pytest.raises(FormatError, match=r"materials\[0\]") as problem:
        read_head_mesh(write(tmp_path, builder), shading="corrected")
    assert words in str(problem.value)


def test_a_texture_whose_only_image_needs_an_extension_is_refused(tmp_path: Path) -> None:
    builder = character()
    builder.gltf["textures"][0] = {"extensions": {"KHR_texture_basisu": {"source": 0}}}
    with pytest.raises(FormatError, match=r"textures\[0\]\.extensions.*KHR_texture_basisu"):
        read_head_mesh(write(tmp_path, builder), shading="corrected")
    builder.gltf["textures"][0]["source"] = 0
    assert read_head_mesh(write(tmp_path, builder), shading="corrected").parts[0].material.texture is not None
