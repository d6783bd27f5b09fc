"""The kernels of the CUDA engine against numbers of the original network, stage by stage.

Needs a GPU or the interpreter, as `test_engine_cuda.py` does; interpreted, a few rays of each fixture are enough.
"""

# ruff: noqa: E402 - what follows the skips needs Triton
from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("triton", reason="Triton is not installed")
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
if not INTERPRETED and not torch.cuda.is_available():
    pytest.skip("no GPU here; test_engine_cuda_interpreter.py runs these tests interpreted", allow_module_level=True)

from tests.parity.fixtures import discover
from torch_utils.determinism import RecordedDraws
from training.decoder import OSGDecoder
from training.engine import cuda_launch
from training.engine.cuda import CudaEngine
from training.engine.interface import Clearing, Field, Rays, Sampling

pytestmark = pytest.mark.gpu
DEVICE = "cpu" if INTERPRETED else "cuda"
FEW = 8 if INTERPRETED else 1 << 20
"""Rays of each character looked at."""


@cache
def numbers(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def chosen(count: int, most: int = FEW) -> np.ndarray:
    """Indices spread evenly over `count` things."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int)


def rows(array: np.ndarray) -> Tensor:
    """Some rays (rays, n) of an array (B, rays, n, 1) or (B · rays, n)."""
    table = array.reshape(-1, array.shape[-2] if array.ndim == 4 else array.shape[-1])
    return torch.from_numpy(table[chosen(len(table))]).to(DEVICE)


def share_within(found: Tensor, expected: np.ndarray, bound: float) -> float:
    return float((np.abs(found.cpu().numpy() - expected) <= bound).mean())


@pytest.mark.parametrize("path", discover("generator/ops/ray_marcher*.json"))
def test_weights_of_intervals(path: Path) -> None:
    arrays = numbers(path.with_suffix(".npz"))
    for case in json.loads(path.read_text())["cases"]:
        prefix = f"case{case['case']:02d}/"
        samples = cuda_launch.Samples(rows(arrays[prefix + "depths"]), rows(arrays[prefix + "densities"]))
        found = cuda_launch.march(samples)
        expected = rows(arrays[prefix + "weights"])
        assert torch.allclose(found.weights, expected, rtol=0, atol=1e-5)
        assert torch.allclose(found.opacity, expected.sum(1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("path", discover("generator/ops/importance_sampling*.json"))
def test_fine_depths_of_the_operator(path: Path) -> None:
    arrays = numbers(path.with_suffix(".npz"))
    cases = [case for case in json.loads(path.read_text())["cases"] if not case.get("det")]
    if not cases:
        pytest.skip(f"{path.name} only has the inversion alone, which the kernel does not offer")
    for case in cases:
        depths, weights, u, expected = (
            arrays[f"case{case['case']:02d}/{name}"] for name in ("depths", "weights", "u", "out")
        )
        found = cuda_launch.fine_depths(rows(depths), rows(weights), rows(u))
        assert torch.allclose(found, rows(expected), rtol=0, atol=1e-5)


class CaseOfF:
    """A recorded call of G.f as the engines see it."""

    def __init__(self, path: Path) -> None:
        if path.name.startswith("volume") or not path.with_name(f"{path.stem}.io.npz").exists():
            pytest.skip(f"{path.name} is no call of G.f")
        self.about = json.loads(path.read_text())
        if "weights_and_inputs_of" in self.about or "G_init_kwargs" not in self.about:
            pytest.skip(f"{path.name} is no call of G.f")
        self.arrays = numbers(path.with_name(f"{path.stem}.io.npz"))
        self.weights = numbers(path.with_name(f"{path.stem}.weights.npz"))
        self.options: dict[str, Any] = {
            **self.about["G_init_kwargs"]["rendering_kwargs"],
            **self.about.get("rendering_overrides", {}),
        }

    def require(self, *names: str) -> None:
        missing = [name for name in names if name not in self.arrays]
        if missing:
            pytest.skip(f"{self.about['name']} has no {', '.join(missing)}")

    def field(self) -> Field:
        planes = torch.from_numpy(self.arrays["mid/triplane"])
        stored = {
            name.removeprefix("G/decoder."): array for name, array in self.weights.items() if "G/decoder." in name
        }
        hidden, channels = stored["net.0.weight"].shape
        outputs = len(stored["net.2.bias"]) - 1
        multiplier = self.options.get("decoder_lr_mul", 1)
        decoder = OSGDecoder(channels, hidden=hidden, outputs=outputs, lr_multiplier=multiplier)
        decoder.load_state_dict({name: torch.from_numpy(array) for name, array in stored.items()})
        decoder.set_force_sigmoid(self.about.get("force_sigmoid", False))
        depth = self.options.get("triplane_depth", 1)
        with torch.no_grad():
            weights = decoder.to(DEVICE).weights()
        return Field(
            planes.to(DEVICE), weights, self.options["box_warp"], depth, bool(self.options.get("use_triplane", False))
        )

    def sampling(self) -> Sampling:
        names = ("ray_start", "ray_end", "depth_resolution", "depth_resolution_importance", "disparity_space_sampling")
        return Sampling(
            **{name: self.options[name] for name in names},
            white_back=bool(self.options.get("white_back", False)),
        )

    def clearing(self) -> Clearing:
        names = ("triplane_crop", "cull_clouds", "binarize_clouds")
        return Clearing(**{name: self.about["f_inputs"].get(name) or 0.0 for name in names})


@pytest.mark.parametrize("pass_name", ["coarse", "fine"])
@pytest.mark.parametrize("path", discover("generator/*.json"))
def test_the_decoder_at_the_stored_points(path: Path, pass_name: str) -> None:
    case = CaseOfF(path)
    points, sigma, rgb = (f"mid/{pass_name}_{what}_every16" for what in ("points", "sigma_raw", "rgb"))
    case.require("mid/triplane", points, sigma, rgb)
    batch = case.arrays[points].shape[0]
    at, expected_sigma, expected_rgb = (
        case.arrays[name].reshape(batch, -1, case.arrays[name].shape[-1]) for name in (points, sigma, rgb)
    )
    some = chosen(at.shape[1], 20 * FEW)
    found = CudaEngine().decode(case.field(), torch.from_numpy(at[:, some]).to(DEVICE))
    assert share_within(found.sigma, expected_sigma[:, some], 5e-2) == 1
    assert share_within(found.features, expected_rgb[:, some], 1e-4) == 1


@pytest.mark.parametrize("path", discover("generator/*.json"))
def test_weights_of_the_stored_densities(path: Path) -> None:
    case = CaseOfF(path)
    case.require("mid/all_depths_every16", "mid/all_density_in_every16", "mid/all_weights_every16")
    depths, sigma, weights = (
        rows(case.arrays[f"mid/all_{name}_every16"]) for name in ("depths", "density_in", "weights")
    )
    found = cuda_launch.march(cuda_launch.Samples(depths, sigma)).weights
    assert torch.allclose(found, weights, rtol=0, atol=1e-5)


@pytest.mark.parametrize("path", discover("generator/*.json"))
def test_rays_from_planes_to_pictures(path: Path) -> None:
    case = CaseOfF(path)
    case.require("mid/triplane", "mid/ray_origins", "mid/ray_directions", "rng/pass0/stratified_jitter")
    case.require("mid/feature_image", "out/image_weights", "out/image_xyz", "out/image_depth")
    if case.options.get("density_noise"):
        pytest.skip(f"{case.about['name']} adds noise that it did not record")
    sampling = case.sampling()
    if sampling.ray_start == "auto" and INTERPRETED:
        pytest.skip(f"{case.about['name']} needs all of its rays, which takes too long in the interpreter")
    jitter = case.arrays["rng/pass0/stratified_jitter"]
    batch, count = jitter.shape[:2]
    some = chosen(count, FEW)
    draws = {"pass0/stratified_jitter": jitter[:, some]}
    if sampling.depth_resolution_importance:
        u = case.arrays["rng/pass0/importance_u"].reshape(batch, count, -1)[:, some]
        draws["pass0/importance_u"] = u.reshape(batch * len(some), -1)

    def of_rays(name: str) -> np.ndarray:
        stored = case.arrays[name]
        return stored.reshape(batch, stored.shape[1], -1).transpose(0, 2, 1)[:, some]

    rays = Rays(*(torch.from_numpy(of_rays(f"mid/ray_{what}")).to(DEVICE) for what in ("origins", "directions")))
    found = CudaEngine().render(case.field(), rays, sampling, case.clearing(), RecordedDraws(draws))
    is_seen = of_rays("out/image_weights")[..., 0] > 1e-3  # the depth of the others is clamped to samples of all rays
    for name, values in {
        "mid/feature_image": found.features,
        "out/image_weights": found.opacity,
        "out/image_xyz": found.xyz,
        "out/image_depth": found.depth,
    }.items():
        expected = of_rays(name)
        scale = max(1.0, float(case.arrays[name].std()))
        difference = np.abs(values.cpu().numpy() - expected)
        difference = difference[is_seen if name == "out/image_depth" else np.ones_like(is_seen)]
        if INTERPRETED:  # a sample on a limit changes its whole ray: one of the few may
            difference = difference[np.argsort(difference.max(-1))[:-1]]
        assert (difference <= 1e-3 * scale).mean() >= 0.995, name
        assert difference.mean() < 1e-4 * scale, name
