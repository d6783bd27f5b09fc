"""Mutated files crash and hang nothing: each is read or refused with one of the suite's own errors.

``VRM_MUTANTS=10000`` in the environment runs the long form; mutant n of the long form is mutant n of the short one.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import numpy as np
import pytest

from _databacks.vrm import read_attribution, read_head_mesh, read_true_surface
from _exchange.errors import SuiteError
from _exchange.mesh import HeadMesh
from tests.databacks.vrm.handmade import LEFT_UPPER, character
from tests.hostile.gltf_mutations import mutate
from tests.parity import fixtures
from tests.shared_data import ROOT

MUTANTS = int(os.environ.get("VRM_MUTANTS", "400"))
SEED = 20_231
MAX_SEED_FILE_BYTES = 200_000
SECONDS_EACH = 10.0
"""Far beyond what a mutant takes (mean 3 ms, worst seen below 1 s), and far below a hang."""
HEAD = (0.0, 1.4, 0.0)


def seed_files() -> list[tuple[str, bytes]]:
    """Small files to damage: hand-made ones always, fixtures and shared data where they are."""
    made = [
        ("handmade_vrm0.vrm", character().to_bytes()),
        ("handmade_vrm1.vrm", character("1.0", joint=LEFT_UPPER, turned=True).to_bytes()),
        ("handmade.glb", character("").to_bytes()),
    ]
    found = [*fixtures.ROOT.glob("measure/vrm*/*.vrm"), *ROOT.glob("vrm_odd/*.vrm"), *ROOT.glob("broken/*.*")]
    files = sorted(path for path in found if path.suffix in (".vrm", ".glb", ".gltf"))
    return made + [(path.name, path.read_bytes()) for path in files if path.stat().st_size <= MAX_SEED_FILE_BYTES]


def use(path: Path) -> list[HeadMesh]:
    """Ask for everything that a file can be asked for; only the suite's errors may come back."""
    meshes, sentences = [], []
    for shading in ("paper", "corrected"):
        try:
            meshes.append(read_head_mesh(path, shading=shading, fit=shading == "corrected", head_position=HEAD))
        except SuiteError as problem:
            sentences.append(str(problem))
    for read in (lambda: read_true_surface(path, pose="bind"), lambda: read_attribution(path)):
        with contextlib.suppress(SuiteError):
            read()
    for sentence in sentences:
        assert "\n" not in sentence
        sentence.encode("utf-8")
    return meshes


def assert_sound(mesh: HeadMesh) -> None:
    """What the renderer relies on holds for whatever was read."""
    for part in mesh.parts:
        assert np.isfinite(part.positions).all()
        assert np.isfinite(part.uv).all()
        assert len(part.positions) == len(part.uv) == len(part.on_head)
        if len(part.faces):
            assert part.faces.min() >= 0
            assert part.faces.max() < len(part.positions)
    assert np.isfinite(mesh.loc_origin).all()
    assert 0 < mesh.scale <= 1
    for text in (*mesh.notes, *mesh.attribution.values(), *(part.material.name for part in mesh.parts)):
        text.encode("utf-8")


@pytest.mark.parametrize("share", range(8))
def test_mutants_are_read_or_refused(tmp_path: Path, share: int) -> None:
    files = seed_files()
    read = 0
    for number in range(share, MUTANTS, 8):
        name, original = files[number % len(files)]
        path = tmp_path / name
        path.write_bytes(mutate(original, SEED + number))
        started = time.monotonic()
        try:
            meshes = use(path)
            for mesh in meshes:
                assert_sound(mesh)
        except Exception as problem:
            raise AssertionError(f"mutant {number} of {name}: {type(problem).__name__}: {problem}") from problem
        assert time.monotonic() - started < SECONDS_EACH, f"mutant {number} of {name} took too long"
        read += len(meshes)
    assert read > 0, "some mutants are still characters, or the damage tests nothing but the header"


def test_the_same_number_gives_the_same_mutant() -> None:
    original = character().to_bytes()
    assert mutate(original, 7) == mutate(original, 7)
    assert len({mutate(original, seed) for seed in range(50)}) > 40
