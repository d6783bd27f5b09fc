"""The original's prediction trees: paths and meshes."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

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
