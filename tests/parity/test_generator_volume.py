"""Export of volumes and meshes. Source: spec/generator.md §8; tolerances: the README of the fixtures.

Voxels on a limit of crop or cull may fall on either side; they are left out, counted, and their number is printed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from _exchange.frames import head_world_from_original_mesh
from _exchange.protocol import PAPER
from tests.parity.fixtures import discover
from tests.parity.generator_cases import ENGINES, engine, load_case, operator_arrays, operator_cases
from training.engine.interface import Field
from training.lattice import cleared_density, color_volume, crop_mask, cull_mask, density_from_sigma, points_of_indices
from training.parts import GeneratorParts
from training.surface import marching_cubes, positions_of_indices
from training.volume import Export, extract_mesh, extract_volume, field_of, volume_of_field

VOLUMES = discover("generator/volume*.json")
CROP_ROUNDING = 1.2e-7
GIVEN_SIGMA, OWN_SIGMA = 1e-5, 5e-3
"""How near to a limit of the cull a raw density is left out."""
SATURATING = (16.0, 17.5)
"""The cull of densities at 0.5 is decided by rounding in this range of raw densities."""


def limit(opacity: float) -> float:
    """Spec §5.3; infinite where no raw density has that opacity, or all have more."""
    if not 0 < opacity < 1:
        return math.inf if opacity >= 1 else -math.inf
    return 1 + math.log(opacity / (1 - opacity))


def on_cull_limit(sigma: NDArray, cull: float | None, tolerance: float) -> NDArray[np.bool_]:
    """Raw densities at which the export's cull is a matter of rounding."""
    if cull is None:
        return np.zeros(sigma.shape, bool)
    if cull == 0.5:
        return (sigma >= SATURATING[0]) & (sigma <= SATURATING[1])
    return np.abs(sigma - limit(limit(cull))) <= tolerance


def on_crop_limit(points: NDArray, crop: float | None, box_warp: float) -> NDArray[np.bool_]:
    """(3, …) points beside a wall of the crop."""
    if crop is None:
        return np.zeros(points.shape[1:], bool)
    return (np.abs(np.abs(points[[0, 2]]) - (box_warp / 2 - crop)) <= CROP_ROUNDING).any(0)


# -- operators --------------------------------------------------------------------------------------------------


def cases_of(file: str, op: str) -> list:
    """The cases of an operator file whose `op` is this one."""
    found = operator_cases(file)
    return [case for case in found if case.marks or case.values[0]["op"] == op] or [
        pytest.param(None, None, marks=pytest.mark.skip(reason=f"{file}: no case of {op}"))
    ]


def arrays_of(case: dict[str, Any], path: Path) -> dict[str, NDArray]:
    return {name: array.numpy() for name, array in operator_arrays(case, path).items()}


@pytest.mark.parametrize(("case", "path"), cases_of("volume_grid", "create_samples"))
def test_sheared_lattice(case: dict[str, Any], path: Path) -> None:
    expected = arrays_of(case, path)["samples"].reshape(-1, 3)
    points = points_of_indices(torch.arange(case["N"] ** 3), case["N"], "sheared", case.get("cube_length", 0.7))
    np.testing.assert_allclose(points, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("case", "path"), cases_of("volume_grid", "marching_cubes"))
def test_marching_cubes_of_a_given_volume(case: dict[str, Any], path: Path) -> None:
    arrays = arrays_of(case, path)
    expected = {f"mc_{name}": array for name, array in arrays.items()}
    check_mesh(arrays["volume"], arrays["rgbs"], case.get("level", 0.5), case.get("box_warp", 0.7), expected)


@pytest.mark.parametrize(("case", "path"), cases_of("masks", "triplane_crop_mask"))
def test_crop_mask(case: dict[str, Any], path: Path, report: Callable[[str], None]) -> None:
    arrays, box_warp = arrays_of(case, path), case.get("box_warp", 0.7)
    points = arrays["points"].reshape(-1, 3)
    decided = ~on_crop_limit(points.T, case["thresh"], box_warp)
    report(f"{(~decided).sum()} of {len(points)} points on the limit")
    mask = crop_mask(points, case["thresh"], box_warp)
    np.testing.assert_array_equal(mask[decided], arrays["mask"].reshape(-1)[decided])


@pytest.mark.parametrize(("case", "path"), cases_of("masks", "density and cull"))
def test_density_and_both_culls(case: dict[str, Any], path: Path, report: Callable[[str], None]) -> None:
    arrays, cull = arrays_of(case, path), case["thresh"]
    sigma = arrays["sigma"]
    np.testing.assert_allclose(density_from_sigma(sigma), arrays["density"], rtol=0, atol=1e-5)
    single = np.abs(sigma - limit(cull)) > GIVEN_SIGMA
    double = ~on_cull_limit(sigma, cull, GIVEN_SIGMA)
    report(f"{(~single).sum()} and {(~double).sum()} of {sigma.size} raw densities on a limit")
    np.testing.assert_array_equal(cull_mask(sigma, cull)[single], arrays["cull_single"][single])
    found = cull_mask(density_from_sigma(sigma), cull)
    np.testing.assert_array_equal(found[double], arrays["cull_double"][double])


# -- whole volumes ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class VolumeCase:
    """A volume fixture: its JSON, its arrays, and the generator and conditions that it borrows."""

    config: dict[str, Any]
    arrays: dict[str, NDArray]
    generator: GeneratorParts
    cond: dict[str, torch.Tensor]

    def inputs(self, options: dict[str, Any]) -> dict[str, Any]:
        """The dict x."""
        return {"cond": self.cond, "seeds": self.config["seeds"], **options}

    def stored_field(self) -> Field:
        """The field of the stored planes."""
        if "planes_const_noise" not in self.arrays:
            pytest.skip(f"{self.config['name']}: no array planes_const_noise")
        planes = torch.from_numpy(self.arrays["planes_const_noise"])
        return self.generator.field(planes.unflatten(1, (3, -1)))

    def sigma(self) -> NDArray:
        """(N, N, N) stored raw densities."""
        if "sigmas" not in self.arrays:
            pytest.skip(f"{self.config['name']}: no array sigmas")
        return self.arrays["sigmas"][0, 0]

    def points(self) -> NDArray:
        """(3, N, N, N) stored query points; where there are none, ours."""
        if "coordinates" in self.arrays:
            return self.arrays["coordinates"][0]
        size = self.config["resolution"]
        points = points_of_indices(torch.arange(size**3), size, "sheared", self.generator.box_warp)
        return color_volume(points.numpy().T)

    def variants(self) -> Iterator[tuple[dict[str, Any], NDArray]]:
        """Each variant with its stored densities (N, N, N)."""
        for variant in self.config["variants"]:
            key = f"{variant['tag']}/densities"
            if key in self.arrays:
                yield variant, self.arrays[key][0, 0]


@cache
def volume_case(path: Path) -> VolumeCase:
    config = json.loads(path.read_text())
    with np.load(path.with_suffix(".io.npz")) as stored:
        arrays = {name: stored[name] for name in stored.files}
    borrowed = load_case(path.with_name(f"{config['weights_and_inputs_of']}.json"))
    return VolumeCase(config, arrays, borrowed.generator, borrowed.conditions())


@pytest.mark.parametrize("path", VOLUMES)
def test_styles_and_planes(path: Path) -> None:
    case = volume_case(path)
    field = field_of(case.generator, case.inputs({}), case.config.get("noise_mode", "const"))
    expected = case.stored_field().planes
    np.testing.assert_allclose(field.planes, expected, rtol=0, atol=5e-5)


@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize("path", VOLUMES)
def test_sigmas_and_colours_of_the_stored_planes(path: Path, engine_name: str) -> None:
    case = volume_case(path)
    export = Export.of({}, case.config["resolution"], PAPER, case.config.get("max_batch", 100_000))
    volume = volume_of_field(engine(engine_name), case.stored_field(), export, channels=32)
    arrays = case.arrays
    if "coordinates" in arrays:
        np.testing.assert_allclose(volume.coordinates(), arrays["coordinates"][0], rtol=0, atol=1e-6)
    np.testing.assert_allclose(volume.sigmas, case.sigma(), rtol=0, atol=5e-3)
    if "rgbs_first3" in arrays:
        np.testing.assert_allclose(volume.rgbs[:3], arrays["rgbs_first3"][0], rtol=0, atol=1e-4)
    if "rgbs_all32_stride4" in arrays:
        expected = arrays["rgbs_all32_stride4"][0]
        np.testing.assert_allclose(volume.rgbs[:, ::4, ::4, ::4], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("path", VOLUMES)
def test_densities_of_the_stored_sigmas(path: Path, report: Callable[[str], None]) -> None:
    case = volume_case(path)
    sigma, points = case.sigma(), case.points()
    for variant, expected in case.variants():
        crop, cull = variant["opts"].get("triplane_crop"), variant["opts"].get("cull_clouds")
        found = cleared_density(sigma, cull)
        if crop is not None:
            found[crop_mask(np.moveaxis(points, 0, -1), crop, case.generator.box_warp)] = -1000
        undecided = on_crop_limit(points, crop, case.generator.box_warp) | on_cull_limit(sigma, cull, GIVEN_SIGMA)
        report(f"{path.stem} {variant['tag']}: {undecided.sum()} of {sigma.size} voxels on a limit")
        np.testing.assert_allclose(found[~undecided], expected[~undecided], rtol=0, atol=1e-4)


@pytest.mark.parametrize("path", VOLUMES)
def test_meshes_of_the_stored_densities(path: Path) -> None:
    case = volume_case(path)
    for variant, densities in case.variants():
        expected = {
            name.removeprefix(f"{variant['tag']}/"): array
            for name, array in case.arrays.items()
            if name.startswith(f"{variant['tag']}/mc_")
        }
        level = variant.get("level", 0.5)
        colors = case.arrays["rgbs_first3"][0] if "rgbs_first3" in case.arrays else None
        if "mc_verts" in expected:
            check_mesh(densities, colors, level, case.generator.box_warp, expected)
            for name, array in (("n_verts", "mc_verts"), ("n_faces", "mc_faces")):
                if name in variant and array in expected:
                    assert len(expected[array]) == variant[name]
        if "occupied" in variant:
            assert (densities > level).mean() == pytest.approx(variant["occupied"], abs=1e-9)


@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize("path", VOLUMES)
def test_export_from_conditions_to_counts(path: Path, engine_name: str, report: Callable[[str], None]) -> None:
    """From our own planes: densities beside limits, and as many vertices and faces as undecided voxels allow."""
    case = volume_case(path)
    options = {"noise_mode": case.config.get("noise_mode", "const"), "engine": engine(engine_name)}
    sigma, points = case.sigma(), case.points()
    for variant, expected in case.variants():
        inputs, level = case.inputs(variant["opts"]), variant.get("level", 0.5)
        crop, cull = variant["opts"].get("triplane_crop"), variant["opts"].get("cull_clouds")
        volume = extract_volume(case.generator, inputs, case.config["resolution"], PAPER, **options)
        undecided = on_crop_limit(points, crop, case.generator.box_warp) | on_cull_limit(sigma, cull, OWN_SIGMA)
        found, stored = volume.densities, expected
        steep = np.abs(sigma - 1) < 20  # densities between 0 and 1 carry the error of sigma, at most a quarter of it
        sure = ~undecided & ~steep
        np.testing.assert_allclose(found[sure], stored[sure], rtol=0, atol=1e-4)
        np.testing.assert_allclose(found[steep & ~undecided], stored[steep & ~undecided], rtol=0, atol=OWN_SIGMA / 4)
        flipped = int(((found > level) != (stored > level)).sum())
        report(
            f"{path.stem} {variant['tag']}, {engine_name}: {undecided.sum()} voxels on a limit, "
            f"{flipped} fell on the other side"
        )
        if not variant.get("n_verts"):
            continue
        surface = marching_cubes(volume.densities, level)
        # A voxel has 26 edges and diagonals to its neighbours, and takes part in 8 cells of at most 12 triangles.
        assert abs(len(surface.indices) - variant["n_verts"]) <= 26 * flipped
        assert abs(len(surface.faces) - variant["n_faces"]) <= 96 * flipped


@pytest.mark.parametrize("path", VOLUMES)
def test_mesh_of_paper_is_the_stored_one_in_head_world(path: Path, report: Callable[[str], None]) -> None:
    case = volume_case(path)
    for variant, _ in case.variants():
        culled = variant["opts"].get("cull_clouds") is not None
        stored = {name: case.arrays.get(f"{variant['tag']}/mc_{name}") for name in ("verts", "faces", "colors")}
        if variant.get("level", 0.5) != 0.5 or not culled or stored["verts"] is None or not len(stored["verts"]):
            continue
        noise_mode = case.config.get("noise_mode", "const")
        inputs, size = case.inputs(variant["opts"]), case.config["resolution"]
        mesh = extract_mesh(case.generator, inputs, size, PAPER, engine=engine("plain"), noise_mode=noise_mode)
        expected = stored["verts"]
        if len(mesh.verts) != len(expected):
            report(f"{path.stem} {variant['tag']}: not compared, a voxel on a limit fell on the other side")
            continue
        np.testing.assert_allclose(mesh.verts, head_world_from_original_mesh(expected), rtol=0, atol=1e-5)
        if stored["faces"] is not None:
            np.testing.assert_array_equal(mesh.faces, stored["faces"])
        if stored["colors"] is not None:
            np.testing.assert_allclose(mesh.colors[:, :3], stored["colors"] * 255, rtol=0, atol=0.5 + 255e-4)


def check_mesh(volume: NDArray, colors: NDArray, level: float, box_warp: float, expected: dict[str, NDArray]) -> None:
    """Marching cubes of a stored volume against stored ``mc_*`` arrays."""
    surface = marching_cubes(volume, level)
    i, j, k = surface.indices.astype(int).T
    found = {
        "mc_verts": positions_of_indices(surface.indices, len(volume), "sheared", box_warp),
        "mc_faces": surface.faces,
        "mc_normals": surface.normals,
        "mc_values": surface.values,
    }
    if colors is not None:
        found["mc_colors"] = colors[:, i, j, k].T
    for name, array in found.items():
        if name in expected:
            assert array.shape == expected[name].shape, name
            np.testing.assert_allclose(array, expected[name], rtol=0, atol=1e-5, err_msg=name)
