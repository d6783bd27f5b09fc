"""Real characters: every VRM file of the shared data is read, with the numbers that its manifest states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from _databacks.vrm import read_head_mesh
from _exchange.mesh import HeadMesh
from tests.shared_data import discover, manifest


def entry_of(path: Path) -> dict:
    return next(entry for entry in manifest(path.parent.name) if entry["file"] == path.name)


@pytest.mark.parametrize("path", discover("vrm*/*.vrm"))
def test_corrected_reads_every_character(path: Path) -> None:
    mesh = read_head_mesh(path, shading="corrected")
    entry = entry_of(path)
    assert mesh.vrm_version == entry["vrm_version"]
    if entry["kind"] == "character":
        assert mesh.triangle_count == entry["triangles"]
        assert mesh.attribution["author"].split(" (")[0] in entry["author"] + entry.get("attribution", "")
        side = -1 if entry["vrm_version"] == "1.0" else 1  # the manifest has the file's axes
        head = (mesh.loc_origin - (0, 0.1, 0)) * (side, 1, side)
        np.testing.assert_allclose(head, entry["head_bone_world"], atol=1e-4)  # four decimals are given
        assert all(part.on_head.any() for part in mesh.parts if "Face" in part.material.name)
    for part in mesh.parts:
        assert np.isfinite(part.positions).all()
        assert np.isfinite(part.uv).all()


@pytest.mark.parametrize("path", discover("vrm/*.vrm"))
def test_paper_reads_every_vrm0_character(path: Path) -> None:
    mesh = read_head_mesh(path, shading="paper")
    textured = [part.material.texture is not None for part in mesh.parts]
    assert len(textured) > 0
    assert all(textured)
    assert mesh.arm_angles_deg["left"]["turn"] == 60
    # spec/renderer.md §12.1: the six VRM files have rest angles of −2.7° to −4.0°
    for side in ("left", "right"):
        assert -4.05 < mesh.arm_angles_deg[side]["rest"] < -2.6


def head_height(mesh: HeadMesh) -> float:
    points = np.concatenate([part.positions[part.on_head] for part in mesh.parts])
    return float(max(np.abs(points[:, [0, 2]]).max(), points[:, 1].max()))


@pytest.mark.parametrize("path", discover("vrm/*.vrm"))
def test_fit_changes_only_heads_beyond_the_cube(path: Path) -> None:
    height = head_height(read_head_mesh(path, shading="corrected"))
    scale = read_head_mesh(path, shading="corrected", fit=True).scale
    assert scale == pytest.approx(min(1.0, 0.34 / height), abs=1e-6)
    if path.stem == "Godette":  # spec/renderer.md §12.1
        assert (height, scale) == (pytest.approx(0.412, abs=5e-4), pytest.approx(0.826, abs=5e-4))
    else:
        assert scale == 1


def corners(mesh: HeadMesh, name: str) -> np.ndarray:
    """Triangle corners of the parts with one material, sorted, so that neither order nor indexing matters."""
    found = [part.positions[part.faces].reshape(-1, 3) for part in mesh.parts if part.material.name == name]
    points = np.round(np.concatenate(found).astype(float), 4)
    return points[np.lexsort(points.T)]


@pytest.mark.parametrize("path", discover("vrm1/*_vrm1.vrm"))
def test_the_same_character_as_vrm0_and_vrm1(path: Path) -> None:
    older = path.parent.parent / "vrm" / f"{path.stem.removesuffix('_vrm1')}.vrm"
    if not older.exists():
        pytest.skip(f"no VRM 0.x file beside {path.name}")
    old, new = (read_head_mesh(file, shading="corrected") for file in (older, path))
    np.testing.assert_allclose(new.loc_origin, old.loc_origin, atol=1e-6)
    assert {part.material.name for part in new.parts} == {part.material.name for part in old.parts}
    for name in {part.material.name for part in old.parts}:
        before, after = corners(old, name), corners(new, name)
        assert before.shape == after.shape
        # sorting rounded values may swap neighbours, so the sets are compared by their sorted coordinates
        np.testing.assert_allclose(np.sort(after, axis=0), np.sort(before, axis=0), atol=2e-4)
        first, second = (next(p.material for p in mesh.parts if p.material.name == name) for mesh in (old, new))
        assert (first.alpha_mode, first.cull) == (second.alpha_mode, second.cull)
        np.testing.assert_allclose(first.color_factor, second.color_factor, atol=0.007)
