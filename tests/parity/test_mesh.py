"""Region filter, point-to-surface distances, chamfer and F1. Source: spec/measure.md §6.2–6.6."""

from __future__ import annotations

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
from tests.parity.fixtures import Recorded, arrays_of, measure_files, whatever_is_there

MESH = measure_files("mesh*.npz")


def surface(fixture: Recorded, name: str) -> Mesh:
    return Mesh(fixture[f"verts_{name}"], fixture[f"faces_{name}"])


@pytest.mark.parametrize("path", MESH)
def test_region_filter_is_exact(path: Path) -> None:
    fixture = arrays_of(path)
    mesh = surface(fixture, "a")
    with whatever_is_there() as part:
        for index in fixture.numbers(r"roi\d+|filter\d+_(verts|faces)"):
            with part():
                kept = cut_to_region(mesh, Region.from_corners(fixture[f"roi{index}"].tolist()))
                with part():
                    np.testing.assert_array_equal(kept.verts, fixture[f"filter{index}_verts"])
                with part():
                    np.testing.assert_array_equal(kept.faces, fixture[f"filter{index}_faces"])


@pytest.mark.parametrize("path", MESH)
@pytest.mark.parametrize(
    ("points", "target", "expected"),
    [("query", "a", "query_distance_to_a"), ("samples_a", "b", "p2s"), ("samples_b", "a", "s2p")],
)
def test_distances(path: Path, points: str, target: str, expected: str) -> None:
    fixture = arrays_of(path)
    ours = distance_to_surface(fixture[points], surface(fixture, target))
    np.testing.assert_allclose(ours, fixture[expected], rtol=0, atol=1e-9)


@pytest.mark.parametrize("path", MESH)
@pytest.mark.parametrize("name", ["a", "b"])
def test_points_of_samples(path: Path, name: str) -> None:
    fixture = arrays_of(path)
    samples = SurfaceSamples(fixture[f"samples_{name}_face"], fixture[f"samples_{name}_bary"])
    points = samples.points(surface(fixture, name))
    np.testing.assert_allclose(points, fixture[f"samples_{name}"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("path", MESH)
def test_chamfer(path: Path) -> None:
    fixture = arrays_of(path)
    assert chamfer(fixture["p2s"], fixture["s2p"]) == pytest.approx(float(fixture["cd"]), rel=0, abs=1e-12)


@pytest.mark.parametrize("path", MESH)
@pytest.mark.parametrize(("name", "distances"), [("precision", "p2s"), ("recall", "s2p")])
def test_precision_and_recall(path: Path, name: str, distances: str) -> None:
    fixture = arrays_of(path)
    ours = [np.mean(fixture[distances] <= threshold) for threshold in fixture["thresholds"]]
    np.testing.assert_allclose(ours, fixture[name], rtol=0, atol=1e-12)


@pytest.mark.parametrize("path", MESH)
def test_f1(path: Path) -> None:
    fixture = arrays_of(path)
    ours = [fscore(fixture["p2s"], fixture["s2p"], float(threshold)) for threshold in fixture["thresholds"]]
    np.testing.assert_allclose(ours, fixture["f1"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("path", MESH)
def test_f1_when_both_are_zero(path: Path) -> None:
    far = np.ones(3)
    assert fscore(far, far, 0.5) == float(arrays_of(path)["f1_when_both_zero"])
