"""Writes solids, textures and a skeleton as one VRM 0.x file.

Source: VRM 0.0 specification, https://github.com/vrm-c/vrm-specification/tree/master/specification/0.0.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from _databacks.characters.curves import Floats
from _databacks.characters.skeleton import LOC_ORIGIN
from _databacks.characters.solids import Solid, normals
from _exchange.glb import ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER, GlbBuilder

AUTHOR = "anime3d contributors"
LICENCE_URL = "https://creativecommons.org/publicdomain/zero/1.0/"
_LINEAR, _TRILINEAR, _CLAMP = 9729, 9987, 33071
_DOUBLE_SIDED = ("hair", "clothes")

Joints = Mapping[str, tuple[str | None, Floats]]


def vrm_bytes(
    solids: Sequence[Solid], textures: Mapping[str, NDArray[np.uint8]], joints: Joints, title: str, version: str
) -> bytes:
    """The whole file: one mesh with a primitive per material, skinned to all joints.

    Args:
        textures: material name → (H, W, 3) uint8; the order is the order of drawing.
        joints: bone → (parent or None, position in `model`), parents before children.
        title: title of the character in the meta block.
        version: version of the generator in the meta block.
    """
    builder = GlbBuilder()
    unlit = "KHR_materials_unlit"
    builder.gltf["asset"]["generator"] = f"anime3d characters {version}"
    builder.gltf["extensionsUsed"] = [unlit, "VRM"]
    nodes = _add_nodes(builder, joints)
    builder.append("samplers", {"magFilter": _LINEAR, "minFilter": _TRILINEAR, "wrapS": _CLAMP, "wrapT": _CLAMP})
    primitives = []
    for index, (name, pixels) in enumerate(textures.items()):
        image = builder.image(_png(pixels), "image/png", name)
        builder.append("textures", {"name": name, "sampler": 0, "source": image})
        material: dict[str, Any] = {
            "name": name,
            "alphaMode": "OPAQUE",
            "extensions": {unlit: {}},
            "pbrMetallicRoughness": {
                "baseColorFactor": [1.0, 1.0, 1.0, 1.0],
                "baseColorTexture": {"index": index},
                "metallicFactor": 0.0,
                "roughnessFactor": 0.9,
            },
        }
        if name in _DOUBLE_SIDED:
            material["doubleSided"] = True
        builder.append("materials", material)
        parts = [solid for solid in solids if solid.material == name]
        primitives.append({**_add_geometry(builder, parts, list(joints)), "material": index})
    mesh = builder.append("meshes", {"name": "character", "primitives": primitives})
    _add_skin(builder, joints, nodes)
    drawn = builder.append("nodes", {"name": "character", "mesh": mesh, "skin": 0})
    builder.append("scenes", {"nodes": [0, drawn]})
    builder.gltf["scene"] = 0
    builder.gltf["extensions"] = {"VRM": _vrm_block(list(textures), nodes, mesh, title, version)}
    return builder.to_bytes()


def _png(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels, "RGB").save(stream, "PNG", compress_level=6)
    return stream.getvalue()


def _add_nodes(builder: GlbBuilder, joints: Joints) -> dict[str, int]:
    """Append one node per bone below a root node; bone → node index."""
    root = builder.append("nodes", {"name": "root", "children": []})
    nodes: dict[str, int] = {}
    for name, (parent, place) in joints.items():
        start = np.zeros(3) if parent is None else joints[parent][1]
        translation = [float(value) for value in np.rint((place - start) * 1e5) / 1e5]
        nodes[name] = builder.append("nodes", {"name": name, "translation": translation})
        above = builder.gltf["nodes"][root if parent is None else nodes[parent]]
        above.setdefault("children", []).append(nodes[name])
    return nodes


def _add_skin(builder: GlbBuilder, joints: Joints, nodes: Mapping[str, int]) -> None:
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
    inverse[:, :3, 3] = -np.stack([place for _, place in joints.values()])
    accessor = builder.accessor(inverse)
    builder.append("skins", {"joints": list(nodes.values()), "inverseBindMatrices": accessor, "skeleton": 0})


def _add_geometry(builder: GlbBuilder, solids: Sequence[Solid], bones: list[str]) -> dict[str, Any]:
    """Accessors of one primitive that joins solids, in `model` metres."""
    starts = np.cumsum([0] + [len(solid.positions) for solid in solids])
    positions = np.concatenate([solid.positions for solid in solids]) + LOC_ORIGIN
    normal = np.concatenate([normals(solid.positions, solid.faces) for solid in solids])
    normal = normal / np.sqrt((normal**2).sum(axis=1, keepdims=True))
    uv = np.concatenate([solid.uv for solid in solids])
    faces = np.concatenate([solid.faces + start for solid, start in zip(solids, starts)])
    skinning = [_influences(solid, bones) for solid in solids]
    indices = np.concatenate([part[0] for part in skinning])
    weights = np.concatenate([part[1] for part in skinning])
    kind = np.uint16 if len(positions) < 65535 else np.uint32
    attributes = {
        "POSITION": builder.accessor(positions.astype(np.float32), target=ARRAY_BUFFER),
        "NORMAL": builder.accessor(normal.astype(np.float32), target=ARRAY_BUFFER),
        "TEXCOORD_0": builder.accessor(uv.astype(np.float32), target=ARRAY_BUFFER),
        "JOINTS_0": builder.accessor(indices, target=ARRAY_BUFFER),
        "WEIGHTS_0": builder.accessor(weights, target=ARRAY_BUFFER, normalized=True),
    }
    return {
        "attributes": attributes,
        "indices": builder.accessor(faces.astype(kind).ravel(), target=ELEMENT_ARRAY_BUFFER),
        "mode": 4,
    }


def _influences(solid: Solid, bones: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(V, 4) joint numbers and weights; weights are bytes that sum to 255, joints without weight are 0."""
    shares = np.zeros((len(solid.positions), 4))
    joints = np.zeros((len(solid.positions), 4), np.uint8)
    for column, (bone, weight) in enumerate(solid.weights.items()):
        shares[:, column] = weight
        joints[:, column] = bones.index(bone)
    whole = np.rint(np.clip(shares, 0, 1) * 255).astype(np.int64)
    strongest = shares.argmax(axis=1)
    whole[np.arange(len(whole)), strongest] += 255 - whole.sum(axis=1)
    return np.where(whole > 0, joints, 0).astype(np.uint8), whole.astype(np.uint8)


def _vrm_block(materials: list[str], nodes: Mapping[str, int], mesh: int, title: str, version: str) -> dict[str, Any]:
    expressions = ("neutral", "a", "i", "u", "e", "o", "blink", "joy", "angry", "sorrow", "fun")
    return {
        "exporterVersion": f"anime3d characters {version}",
        "specVersion": "0.0",
        "meta": {
            "title": title,
            "version": version,
            "author": AUTHOR,
            "contactInformation": "",
            "reference": "",
            "allowedUserName": "Everyone",
            "violentUssageName": "Allow",
            "sexualUssageName": "Allow",
            "commercialUssageName": "Allow",
            "otherPermissionUrl": "",
            "licenseName": "CC0",
            "otherLicenseUrl": LICENCE_URL,
        },
        "humanoid": {
            "humanBones": [{"bone": bone, "node": node, "useDefaultValues": True} for bone, node in nodes.items()],
            "armStretch": 0.05,
            "legStretch": 0.05,
            "upperArmTwist": 0.5,
            "lowerArmTwist": 0.5,
            "upperLegTwist": 0.5,
            "lowerLegTwist": 0.5,
            "feetSpacing": 0.0,
            "hasTranslationDoF": False,
        },
        "firstPerson": {
            "firstPersonBone": nodes["head"],
            "firstPersonBoneOffset": {"x": 0.0, "y": 0.06, "z": 0.0},
            "meshAnnotations": [{"mesh": mesh, "firstPersonFlag": "Auto"}],
            "lookAtTypeName": "Bone",
        },
        "blendShapeMaster": {
            "blendShapeGroups": [
                {"name": name, "presetName": name, "binds": [], "materialValues": [], "isBinary": False}
                for name in expressions
            ]
        },
        "secondaryAnimation": {"boneGroups": [], "colliderGroups": []},
        "materialProperties": [_mtoon(name, index) for index, name in enumerate(materials)],
    }


def _mtoon(name: str, texture: int) -> dict[str, Any]:
    """Unlit-looking MToon settings: white colour over the painted texture, no rim, no outline."""
    return {
        "name": name,
        "shader": "VRM/MToon",
        "renderQueue": 2000,
        "floatProperties": {
            "_BlendMode": 0.0,
            "_CullMode": 0.0 if name in _DOUBLE_SIDED else 2.0,
            "_Cutoff": 0.5,
            "_DstBlend": 0.0,
            "_IndirectLightIntensity": 0.1,
            "_MToonVersion": 32.0,
            "_OutlineWidth": 0.0,
            "_OutlineWidthMode": 0.0,
            "_ReceiveShadowRate": 1.0,
            "_ShadeShift": 0.0,
            "_ShadeToony": 0.9,
            "_SrcBlend": 1.0,
            "_ZWrite": 1.0,
        },
        "vectorProperties": {
            "_Color": [1.0, 1.0, 1.0, 1.0],
            "_ShadeColor": [0.95, 0.87, 0.90, 1.0],
            "_MainTex": [0.0, 0.0, 1.0, 1.0],
            "_ShadeTexture": [0.0, 0.0, 1.0, 1.0],
            "_EmissionColor": [0.0, 0.0, 0.0, 1.0],
            "_RimColor": [0.0, 0.0, 0.0, 1.0],
            "_OutlineColor": [0.0, 0.0, 0.0, 1.0],
        },
        "textureProperties": {"_MainTex": texture, "_ShadeTexture": texture},
        "keywordMap": {},
        "tagMap": {"RenderType": "Opaque"},
    }
