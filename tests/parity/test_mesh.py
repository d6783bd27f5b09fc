"""Region filter, point-to-surface distances, chamfer and F1. Source: spec/measure.md §6.2–6.6."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from _exchange.items import Region
from _exchange.mesh import Mesh
from _measure.metrics.chamfer import chamfer
from _measure.metrics.fscore import fscore
from _measure.sampling import SurfaceSamples
from _measure.surface_distance import distance_to_surface
from _measure.true_surface import cut_to_region
from tests.parity.fixtures import measure_files

MESH = measure_files("mesh*.npz")


def surface(fixture: np.lib.npyio.NpzFile, name: str) -> Mesh:
    return Mesh(fixture[f"verts_{name}"], fixture[f"faces_{name}"])


@pytest.mark.parametrize("path", MESH)
def test_region_filter_is_exact(path: Path) -> None:
    fixture = np.load(path)
    names = [key for key in fixture.files if re.fullmatch(r"roi\d+", key)]
    assert names
    for name in names:
        kept = cut_to_region(surface(fixture, "a"), Region.from_corners(fixture[name].tolist()))
        prefix = name.replace("roi", "filter")
        np.testing.assert_array_equal(kept.verts, fixture[f"{prefix}_verts"])
        np.testing.assert_array_equal(kept.faces, fixture[f"{prefix}_faces"])


@pytest.mark.parametrize("path", MESH)
def test_distances(path: Path) -> None:
    fixture = np.load(path)
    a, b = surface(fixture, "a"), surface(fixture, "b")
    for points, target, expected in (
        ("query", a, "query_distance_to_a"),
        ("samples_a", b, "p2s"),
        ("samples_b", a, "s2p"),
    ):
        np.testing.assert_allclose(distance_to_surface(fixture[points], target), fixture[expected], rtol=0, atol=1e-9)


@pytest.mark.parametrize("path", MESH)
@pytest.mark.parametrize("name", ["a", "b"])
def test_points_of_samples(path: Path, name: str) -> None:
    fixture = np.load(path)
    samples = SurfaceSamples(fixture[f"samples_{name}_face"], fixture[f"samples_{name}_bary"])
    points = samples.points(surface(fixture, name))
    np.testing.assert_allclose(points, fixture[f"samples_{name}"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("path", MESH)
def test_chamfer_and_f1(path: Path) -> None:
    fixture = np.load(path)
    p2s, s2p = fixture["p2s"], fixture["s2p"]
    assert chamfer(p2s, s2p) == pytest.approx(float(fixture["cd"]), rel=0, abs=1e-12)
    for threshold, precision, recall, f1 in zip(*(fixture[k] for k in ("thresholds", "precision", "recall", "f1"))):
        assert np.mean(p2s <= threshold) == pytest.approx(precision, rel=0, abs=1e-12)
        assert np.mean(s2p <= threshold) == pytest.approx(recall, rel=0, abs=1e-12)
        assert fscore(p2s, s2p, float(threshold)) == pytest.approx(f1, rel=0, abs=1e-12)
    far = np.ones(3)
    assert fscore(far, far, 0.5) == float(fixture["f1_when_both_zero"])
