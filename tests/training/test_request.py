"""What `f` says to inputs and settings that do not fit: one sentence with expected and found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from _exchange.errors import InputError, SuiteError
from tests.training.small_generator import init_kwargs, inputs, rendering_kwargs, small_generator
from torch_utils.determinism import GeneratorDraws
from training.memory import memory_explained
from training.request import latents_of_seeds
from training.triplane import TriPlaneGenerator


def _without(*names: str) -> dict[str, Any]:
    return {key: value for key, value in inputs().items() if key not in names}


REFUSED = [
    (inputs(cull_cloud=0.5), r"names out of cond, seeds.*found 'cull_cloud'"),
    (_without("cond"), "with cond, the dict of conditions, found the keys"),
    (_without("seeds"), "seeds, z, zs or ws, found the keys"),
    (_without("elevations"), "with elevations, or camera_params"),
    (_without("elevations", "azimuths", "fovs"), "elevations and azimuths, camera_params or force_rays, found none"),
    (inputs(azimuths=torch.zeros(2)), r"azimuths with 1 numbers, found the shape \(2,\)"),
    (inputs(seeds=[1, 2]), "1 seeds, one per view, found 2"),
    (inputs(seeds=[-1]), r"whole numbers from 0 to 2\^32 - 1, found -1"),
    (inputs(z=torch.zeros(1, 23)), r"z as a tensor of shape \(1, 24\), found \(1, 23\)"),
    (inputs(ws=torch.zeros(1, 6, 15)), r"ws as a tensor of shape \(1, 6, 16\), found \(1, 6, 15\)"),
    (inputs(camera_params=torch.zeros(1, 16)), r"camera_params as a tensor of shape \(1, 25\)"),
    (inputs(fovs=torch.tensor([float("nan")])), "finite numbers as fovs, found NaN"),
    (inputs(triplane_crop="much"), "triplane_crop to be a finite number, found 'much'"),
    (inputs(neural_rendering_resolution=0), "neural_rendering_resolution to be a whole number above 0, found 0"),
    (inputs(paste_params=True), "paste_params as a dict, found True"),
    (inputs(cond=[1]), "cond as a dict, found"),
    (inputs(elevations=10.0), "elevations with one entry per character, found 10.0"),
    (inputs(paste_params={"thresh": 1}), "found 'thresh'"),
    (
        inputs(paste_params={}, size=32),
        r"image_ortho_front of shape \(1, 3, 64, 64\) for pasting, found \(1, 3, 32, 32\)",
    ),
    (inputs(cond={"resnet_chonk": torch.zeros(1, 12, 8, 8)}), "condition image_ortho_front"),
    (inputs(cond={"image_ortho_front": torch.zeros(1, 3, 64, 64, dtype=torch.uint8)}), "tensor of floats"),
    (inputs(force_rays={"ray_origins": torch.zeros(1, 3, 4, 4)}), "ray_origins and ray_directions, found the keys"),
    (inputs(latent_injection={"da_9": torch.zeros(1)}), "latent_injection with keys out of"),
]


@pytest.mark.parametrize(("given", "sentence"), REFUSED, ids=[sentence[:30] for _, sentence in REFUSED])
def test_refused_inputs(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        small_generator().f(given, draws=GeneratorDraws.seeded(0))


def test_none_is_the_same_as_no_entry() -> None:
    generator = small_generator()
    empty = dict.fromkeys(("triplane_crop", "cull_clouds", "paste_params", "normalize_images", "force_rays", "ws"))
    found = generator.f({**inputs(), **empty}, draws=GeneratorDraws.seeded(0))
    assert torch.equal(found["image"], generator.f(inputs(), draws=GeneratorDraws.seeded(0))["image"])


def test_numbers_may_be_lists_or_arrays() -> None:
    generator, x = small_generator(), inputs(2)
    lists = {key: x[key].tolist() for key in ("elevations", "azimuths", "fovs")}
    arrays = {key: x[key].numpy() for key in lists} | {"seeds": np.array(x["seeds"])}
    expected = generator.f(x, draws=GeneratorDraws.seeded(0))["image"]
    for given in (lists, arrays):
        assert torch.equal(generator.f({**x, **given}, draws=GeneratorDraws.seeded(0))["image"], expected)


def test_latents_are_numpys_legacy_numbers() -> None:
    expected = np.stack([np.random.RandomState(seed).randn(7) for seed in (0, 2**32 - 1)])
    np.testing.assert_array_equal(latents_of_seeds([0, 2**32 - 1], 7), expected.astype(np.float32))


SETTINGS = [
    ({"clamp_mode": "relu"}, "clamp_mode 'softplus', found 'relu'"),
    ({"depth_resolution": 1}, "depth_resolution to be a whole number of at least 2, found 1"),
    ({"depth_resolution": 2}, "depth_resolution of at least 3 for fine samples, found 2"),
    ({"depth_resolution_importance": -1}, "at least 0, found -1"),
    ({"ray_start": "near"}, "ray_start in metres or 'auto', found 'near'"),
    ({"ray_start": float("nan")}, "ray_start in metres or 'auto', found nan"),
    ({"ray_start": "auto"}, "both 'auto'"),
    ({"ray_start": 1.5}, "ray_start below ray_end, found 1.5 and 1.5"),
    ({"ray_start": 0.0, "disparity_space_sampling": True}, "ray_start above 0 for disparity_space_sampling"),
    ({"density_noise": True}, "density_noise to be a finite number, found True"),
    ({"c_scale": float("inf")}, "c_scale to be a finite number, found inf"),
    ({"box_warp": None}, "box_warp to be a finite number, found None"),
    ({"box_warp": -0.7}, "box_warp above 0 metres, found -0.7"),
    ({"superresolution_noise_mode": "some"}, "noise mode random, const, none, found 'some'"),
]


@pytest.mark.parametrize(("changes", "sentence"), SETTINGS)
def test_refused_settings(changes: dict[str, Any], sentence: str) -> None:
    generator = small_generator()
    generator.rendering_kwargs.update(changes)
    with pytest.raises(InputError, match=sentence):
        generator.f(inputs(), draws=GeneratorDraws.seeded(0))


def test_pasting_needs_depths_in_metres() -> None:
    generator = small_generator()
    generator.rendering_kwargs.update(ray_start="auto", ray_end="auto")
    assert generator.f(inputs(), draws=GeneratorDraws.seeded(0))["image"].isfinite().all()
    with pytest.raises(InputError, match="ray_start in metres for pasting, found 'auto'"):
        generator.f(inputs(paste_params={}), draws=GeneratorDraws.seeded(0))


@pytest.mark.parametrize(
    "key",
    [
        "clamp_mode",
        "box_warp",
        "ray_start",
        "depth_resolution",
        "c_gen_conditioning_zero",
        "superresolution_noise_mode",
    ],
)
def test_settings_that_must_be_there(key: str) -> None:
    generator = small_generator()
    del generator.rendering_kwargs[key]
    with pytest.raises(InputError, match=f"rendering_kwargs with {key}, found the keys"):
        generator.f(inputs(), draws=GeneratorDraws.seeded(0))


CONSTRUCTORS = [
    (init_kwargs(rendering_kwargs={"sr_antialias": True}), "rendering_kwargs with superresolution_module"),
    (
        init_kwargs(rendering_kwargs={"superresolution_module": "SuperresolutionHybrid8XDC"}),
        "rendering_kwargs with sr_antialias",
    ),
    (
        init_kwargs(rendering_kwargs=rendering_kwargs(superresolution_module="a.SuperresolutionHybrid4X")),
        "called SuperresolutionHybrid8XDC, found 'a.SuperresolutionHybrid4X'",
    ),
    (init_kwargs(cond_mode=None), "cond_mode as text, 'none' for no conditions, found None"),
    (init_kwargs(cond_mode="ortho_front.gt_sides"), "found 'gt_sides'"),
    (init_kwargs(rendering_kwargs=[1]), r"rendering_kwargs as a dict, found \[1\]"),
    (init_kwargs(img_channels=4), "img_channels 3, found 4"),
    (init_kwargs(img_resolution=96), "img_resolution to be a power of two from 64 to 1024, found 96"),
    (init_kwargs(img_resolution=2048), "found 2048"),
    (init_kwargs(mapping_kwargs={"layers": 2}), "mapping_kwargs with names out of num_layers.*found 'layers'"),
    (init_kwargs(sr_kwargs={"chanel_base": 2}), "sr_kwargs with names out of.*found 'chanel_base'"),
    (init_kwargs(triplane_widht=2), "found 'triplane_widht'"),
    (init_kwargs(triplane_width=0), "triplane_width to be a whole number of at least 1, found 0"),
]


@pytest.mark.parametrize(("kwargs", "sentence"), CONSTRUCTORS, ids=[sentence[:30] for _, sentence in CONSTRUCTORS])
def test_refused_constructor_arguments(kwargs: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        TriPlaneGenerator(**kwargs)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
    ],
)
def test_running_out_of_memory_says_what_to_lower(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = small_generator()

    def exhausted(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(generator.backbone.synthesis, "forward", exhausted)
    with pytest.raises(SuiteError, match=r"enough memory.*Lower neural_rendering_resolution, depth_resolution"):
        generator.f(inputs(), draws=GeneratorDraws.seeded(0))


def test_an_allocation_that_cannot_succeed_is_explained_and_other_errors_pass() -> None:
    with pytest.raises(SuiteError, match="Lower it"), memory_explained("it"):
        torch.empty(1 << 60)
    with pytest.raises(RuntimeError, match="shapes"), memory_explained("it"):
        raise RuntimeError("shapes")
