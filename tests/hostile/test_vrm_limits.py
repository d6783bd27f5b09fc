"""Small files that ask for much: refused before memory or time is spent.

Every file here is below 3 MB; the time bound (20 s on a busy machine, measured below 2 s) only separates the linear
from the explosive.
"""

from __future__ import annotations

import json
import struct
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from _databacks.vrm import read_head_mesh, read_true_surface
from _exchange.errors import SuiteError
from _exchange.glb import GlbBuilder
from tests.databacks.vrm.handmade import add_material, character, pack_glb, write

HEAD = (0.0, 1.4, 0.0)
MEMORY_BYTES = 2**30


@pytest.fixture(autouse=True)
def _bounded_time() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 20


@pytest.fixture
def _bounded_memory() -> Iterator[None]:
    """Bounds what Python and NumPy ask for; tracing is slow, so only where memory is the question."""
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MEMORY_BYTES


def refusal(folder: Path, content: bytes | GlbBuilder, name: str = "a.glb") -> str:
    path = write(folder, content, name)
    with pytest.raises(SuiteError) as problem:
        read_head_mesh(path, shading="corrected", head_position=HEAD)
    return str(problem.value)


def document(**fields: Any) -> bytes:
    return pack_glb({"asset": {"version": "2.0"}} | fields)


def scene(**fields: Any) -> dict[str, Any]:
    return {"nodes": [{"mesh": 0}], "scenes": [{"nodes": [0]}]} | fields


@pytest.mark.usefixtures("_bounded_memory")
@pytest.mark.parametrize("count", [2**22 + 1, 2**31, 2**62, 10**300])
def test_an_accessor_of_nothing_cannot_be_huge(tmp_path: Path, count: int) -> None:
    accessors = [{"componentType": 5126, "type": "VEC3", "count": count}]
    meshes = [{"primitives": [{"attributes": {"POSITION": 0}}]}]
    words = refusal(tmp_path, document(accessors=accessors, meshes=meshes, **scene()))
    assert "accessors[0].count: expected an integer in 1..4194304" in words


@pytest.mark.usefixtures("_bounded_memory")
def test_many_accessors_of_nothing_are_refused_together(tmp_path: Path) -> None:
    accessors = [{"componentType": 5126, "type": "VEC3", "count": 2**22}] * 50
    primitives = [{"attributes": {"POSITION": index}} for index in range(50)]
    words = refusal(tmp_path, document(accessors=accessors, meshes=[{"primitives": primitives}], **scene()))
    assert "meshes[0].primitives[1]: expected at most 4194304 vertices" in words


def test_a_mesh_cannot_be_drawn_without_end(tmp_path: Path) -> None:
    builder = GlbBuilder()
    positions = builder.accessor(np.zeros((3, 3), np.float32))
    builder.append("meshes", {"primitives": [{"attributes": {"POSITION": positions}}] * 300})
    for _ in range(300):
        builder.append("nodes", {"mesh": 0})
    builder.append("scenes", {"nodes": list(range(300))})
    assert "drawn primitives" in refusal(tmp_path, builder)


@pytest.mark.usefixtures("_bounded_memory")
def test_a_surface_of_shared_buffers_cannot_grow_without_end(tmp_path: Path) -> None:
    builder = character(positions=np.zeros((100_000, 3), np.float32) + 1)
    builder.gltf["meshes"][0]["primitives"] *= 500
    with pytest.raises(SuiteError, match="expected at most"):
        read_true_surface(write(tmp_path, builder), pose="bind")


@pytest.mark.parametrize("key", ["nodes", "accessors", "materials", "meshes", "bufferViews", "images"])
def test_arrays_of_entries_are_bounded(tmp_path: Path, key: str) -> None:
    assert f"{key}: expected at most 65536 entries, found 70000" in refusal(tmp_path, document(**{key: [{}] * 70_000}))


def test_joints_are_bounded_over_all_skins(tmp_path: Path) -> None:
    skins = [{"joints": [0] * 60_000}] * 10
    assert "joints in all skins" in refusal(tmp_path, document(nodes=[{}], skins=skins))


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deep_nesting_is_refused(tmp_path: Path, opening: bytes) -> None:
    assert "moderate depth" in refusal(tmp_path, opening * 300_000, "a.gltf")


def test_long_numbers_and_texts_are_not_repeated_in_the_sentence(tmp_path: Path) -> None:
    for value in ('"' + "x" * 100_000 + '"', "9" * 4000, "[" + "1," * 9999 + "1]", '{"' + "k" * 9999 + '":1}'):
        text = f'{{"asset":{{"version":"2.0"}},"nodes":[{{"mesh":{value}}}]}}'
        assert len(refusal(tmp_path, text.encode(), "a.gltf")) < 300
    long_key = json.dumps({"asset": {"version": "2.0"}, "extensionsRequired": ["E" * 100_000]})
    assert len(refusal(tmp_path, long_key.encode(), "a.gltf")) < 300


def png_that_claims(width: int, height: int, rows: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(8193, 8193), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_an_image_that_claims_to_be_huge_is_not_decoded(tmp_path: Path, size: tuple[int, int]) -> None:
    builder = character()
    for collection in ("materials", "textures", "images"):
        builder.gltf[collection].clear()
    add_material(builder, png_that_claims(*size))
    mesh = read_head_mesh(write(tmp_path, builder), shading="corrected")
    assert mesh.parts[0].material.texture is None
    assert "images[0]: expected" in mesh.notes[0]
    with pytest.raises(SuiteError):
        read_head_mesh(write(tmp_path, builder), shading="paper")


def test_many_large_images_are_bounded_together(tmp_path: Path) -> None:
    builder = character()
    for collection in ("materials", "textures", "images"):
        builder.gltf[collection].clear()
    encoded = png_that_claims(8000, 8000, b"")  # damaged: decoding fails after the memory was asked for
    for _ in range(40):
        add_material(builder, encoded)
    primitive = builder.gltf["meshes"][0]["primitives"][0]
    builder.gltf["meshes"][0]["primitives"] = [primitive | {"material": index} for index in range(40)]
    mesh = read_head_mesh(write(tmp_path, builder), shading="corrected")
    assert any("pixels in all images" in note for note in mesh.notes)


def test_a_compressed_text_in_a_png_is_not_inflated(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(200 * 2**20), 9)
    data = b"k\0\0" + bomb
    chunk = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    good = png_that_claims(1, 1, b"\0\1\2\3\4")
    builder = character()
    for collection in ("materials", "textures", "images"):
        builder.gltf[collection].clear()
    add_material(builder, good[:33] + chunk + good[33:])
    read_head_mesh(write(tmp_path, builder), shading="corrected")


def test_notes_are_bounded(tmp_path: Path) -> None:
    binds = [{"mesh": 0, "index": index} for index in range(50_000)]
    builder = character()
    builder.gltf["extensions"]["VRM"]["blendShapeMaster"] = {"blendShapeGroups": [{"binds": binds}]}
    assert len(read_head_mesh(write(tmp_path, builder), shading="corrected").notes) <= 101


def test_a_file_larger_than_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.glb"
    with path.open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(SuiteError, match="a file of at most"):
        read_head_mesh(path, shading="corrected", head_position=HEAD)
