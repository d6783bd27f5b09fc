"""The original's prediction trees: paths and meshes."""

from __future__ import annotations

import pickle
import random
import struct
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from _exchange import original_layout
from _exchange.errors import FormatError, InputError
from _exchange.items import ItemId
from _exchange.original_layout import OriginalRun, is_original_run

ITEM = ItemId("genshin", "albedo")
VERTS = np.array([[0.1, 0.2, 0.3], [0, 1, 0], [0, 0, 1]], np.float32)
FACES = np.array([[0, 1, 2]])


def folder_of(root: Path) -> Path:
    folder = root / "marching_cubes" / "genshin" / "albedo"
    folder.mkdir(parents=True)
    return folder


def test_paths_are_the_originals(tmp_path: Path) -> None:
    run = OriginalRun(tmp_path)
    assert run.picture(ITEM, "rgb60_0042") == tmp_path / "rgb60" / "genshin" / "albedo" / "0042.png"
    assert run.picture(ITEM, "ortho_back") == tmp_path / "ortho" / "genshin" / "albedo" / "back.png"


@pytest.mark.parametrize("form", ["npz", "pkl"])
def test_meshes_are_turned_to_head_world(tmp_path: Path, form: str) -> None:
    folder = folder_of(tmp_path)
    if form == "npz":
        np.savez(folder / "front.npz", verts=VERTS, faces=FACES)
    else:
        (folder / "front.pkl").write_bytes(pickle.dumps({"verts": VERTS, "faces": FACES}))
    assert is_original_run(tmp_path)
    mesh = OriginalRun(tmp_path).mesh(ITEM)
    np.testing.assert_allclose(mesh.verts[0], [-0.1, 0.2, 0.3], atol=1e-7)
    np.testing.assert_array_equal(mesh.faces, FACES)


def test_a_missing_mesh_is_named(tmp_path: Path) -> None:
    assert not is_original_run(tmp_path)
    with pytest.raises(InputError, match=r"front\.npz or front\.pkl, found neither"):
        OriginalRun(tmp_path).mesh(ITEM)


@pytest.mark.parametrize(
    "content",
    [pickle.dumps([1]), pickle.dumps({"verts": VERTS}), pickle.dumps({"verts": VERTS, "faces": print}), b"x"],
    ids=["a list", "no faces", "a function", "no pickle"],
)
def test_damaged_meshes_are_refused_with_the_files_name(tmp_path: Path, content: bytes) -> None:
    (folder_of(tmp_path) / "front.pkl").write_bytes(content)
    with pytest.raises(FormatError, match=r"^front\.pkl: "):
        OriginalRun(tmp_path).mesh(ITEM)


def test_object_arrays_in_archives_are_refused(tmp_path: Path) -> None:
    np.savez(folder_of(tmp_path) / "front.npz", verts=np.array([{}], object), faces=FACES)
    with pytest.raises(FormatError, match=r"^front\.npz: "):
        OriginalRun(tmp_path).mesh(ITEM)


def test_a_torn_archive_is_refused_with_its_name(tmp_path: Path) -> None:
    path = folder_of(tmp_path) / "front.npz"
    np.savez(path, verts=VERTS, faces=FACES)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FormatError, match=r"^front\.npz: .*archive"):
        OriginalRun(tmp_path).mesh(ITEM)


def refused(root: Path, sentence: str) -> None:
    with pytest.raises(FormatError, match=sentence):
        OriginalRun(root).mesh(ITEM)


@pytest.mark.parametrize(
    ("verts", "faces", "sentence"),
    [
        (VERTS[:, :2], FACES, r"verts: expected numbers of shape \(n, 3\), found float32 of shape \(3, 2\)"),
        (VERTS[0], FACES, r"verts: .*\(3,\)"),
        (np.float32(1), FACES, r"verts: "),
        (VERTS.astype(str), FACES, r"verts: .*<U32"),
        (VERTS.astype(complex), FACES, r"verts: .*complex128"),
        (VERTS, FACES + 0.5, r"faces: expected whole numbers .*float64"),
        (VERTS, FACES + 1, "a mesh, found Expected face indices in 0..2, found 1..3"),
        (VERTS, FACES - 1, "a mesh, found Expected face indices"),
        (np.full((3, 3), np.inf), FACES, "finite"),
        (VERTS, FACES[:, :, None], "faces: "),
    ],
)
def test_arrays_that_are_no_mesh_are_named_with_the_file(tmp_path: Path, verts, faces, sentence: str) -> None:
    np.savez(folder_of(tmp_path) / "front.npz", verts=verts, faces=faces)
    refused(tmp_path, rf"^front\.npz: .*{sentence}")


def test_whole_coordinates_and_small_index_types_are_a_mesh(tmp_path: Path) -> None:
    np.savez(folder_of(tmp_path) / "front.npz", verts=np.array([[1, 2, 3]], np.int16), faces=np.zeros((1, 3), np.uint8))
    mesh = OriginalRun(tmp_path).mesh(ITEM)
    assert mesh.verts.tolist() == [[-1.0, 2.0, 3.0]]
    assert mesh.verts.dtype == np.float64


def test_the_archive_is_taken_before_the_pickle(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    np.savez(folder / "front.npz", verts=VERTS, faces=FACES)
    (folder / "front.pkl").write_bytes(b"damaged")
    assert len(OriginalRun(tmp_path).mesh(ITEM).verts) == 3


def test_a_single_array_under_the_archives_name_is_refused(tmp_path: Path) -> None:
    with open(folder_of(tmp_path) / "front.npz", "wb") as stream:
        np.save(stream, VERTS)
    refused(tmp_path, r"^front\.npz: expected an \.npz archive")


def test_an_archive_that_unpacks_beyond_the_limit_is_refused_unread(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(original_layout, "MAX_BYTES", 10_000)
    np.savez_compressed(folder_of(tmp_path) / "front.npz", verts=np.zeros((1000, 3)), faces=FACES)
    refused(tmp_path, r"^front\.npz: expected arrays of at most 10000 bytes, found 2\d{4} bytes")


def test_a_pickle_beyond_the_limit_is_refused_unread(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(original_layout, "MAX_BYTES", 100)
    (folder_of(tmp_path) / "front.pkl").write_bytes(b"x" * 101)
    refused(tmp_path, r"^front\.pkl: expected a pickle of at most 100 bytes, found 101 bytes")


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000, 3)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1, 3)}",
        "{'descr': '04<', 'fortran_order': False, 'shape': (1, 3)}",
        "__import__('os').system('touch touched')",
        "(" * 200,
    ],
    ids=["more than memory", "negative", "objects", "an odd type", "code", "open brackets"],
)
def test_hostile_array_headers_are_refused(tmp_path: Path, header: str) -> None:
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    with zipfile.ZipFile(folder_of(tmp_path) / "front.npz", "w") as archive:
        archive.writestr("verts.npy", content)
    refused(tmp_path, r"^front\.npz: expected an \.npz archive")


def test_flipped_bytes_of_an_archive_are_answered(tmp_path: Path) -> None:
    path = folder_of(tmp_path) / "front.npz"
    np.savez_compressed(path, verts=VERTS, faces=FACES)
    content, chance, answers = path.read_bytes(), random.Random(2), Counter[str]()
    for _ in range(400):
        mutated = bytearray(content)
        mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        path.write_bytes(mutated)
        try:
            answers[type(OriginalRun(tmp_path).mesh(ITEM)).__name__] += 1
        except FormatError as error:
            answers["refused"] += 1
            assert str(error).startswith("front.npz: ")  # noqa: PT017
    assert answers["refused"] > 50
    assert answers["Mesh"] > 50
