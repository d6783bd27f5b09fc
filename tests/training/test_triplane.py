"""`TriPlaneGenerator.f` and its siblings: what they leave alone, what they agree on, and sizes the original refuses."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from tests.training.small_generator import init_kwargs, inputs, rendering_kwargs, small_generator
from torch_utils.determinism import Draws, GeneratorDraws
from training.engine.plain import PlainEngine
from training.layers import Noise
from training.planes import sample_planes
from training.rays import as_image, labels_of, perspective_rays_of_labels
from training.triplane import TriPlaneGenerator, shifted

PASTE = {"triplane_crop": 0.05, "cull_clouds": 0.3, "paste_params": {"thresh_dxyz": 1.0, "front_weight_erosion": 2}}


def _seeded(seed: int = 0) -> GeneratorDraws:
    return GeneratorDraws.seeded(seed)


def _flat(values: Any) -> list:
    """Every tensor and plain value of nested dicts, in order."""
    if isinstance(values, dict):
        return [leaf for key in values for leaf in [key, *_flat(values[key])]]
    return [values.clone() if isinstance(values, torch.Tensor) else copy.copy(values)]


def _same(found: list, expected: list) -> bool:
    return len(found) == len(expected) and all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in zip(found, expected)
    )


def test_the_results_of_a_call() -> None:
    results = small_generator().f(inputs(2), draws=_seeded())
    shapes = {name: tuple(value.shape) for name, value in results.items() if isinstance(value, torch.Tensor)}
    assert shapes == {
        "image": (2, 3, 64, 64),
        "image_raw": (2, 3, 8, 8),
        "image_depth": (2, 1, 8, 8),
        "image_weights": (2, 1, 8, 8),
        "image_xyz": (2, 3, 8, 8),
        "triplane": (2, 3, 12, 16, 16),
    }
    assert results["normalize_images"] is False


def test_inputs_and_the_generator_are_left_as_they_were() -> None:
    generator, x = small_generator(), inputs(**PASTE, neural_rendering_resolution=6)
    before, state = _flat(x), _flat(dict(generator.state_dict()))
    settings = dict(generator.rendering_kwargs)
    results = generator.f(x, draws=_seeded())
    assert results["image_raw"].shape[-1] == 6
    assert _same(_flat(x), before)
    assert _same(_flat(dict(generator.state_dict())), state)
    assert generator.neural_rendering_resolution == 8, "a resolution given once does not stick"
    assert generator.rendering_kwargs == settings
    assert _same(_flat(generator.f(x, draws=_seeded())), _flat(results)), "a second call gives the same"


def test_a_batch_is_its_views_one_by_one() -> None:
    """With constant noise, and sample positions that do not depend on the place in the batch."""
    generator, x = small_generator(), inputs(3, **PASTE)

    class Even(Draws):
        def normal(self, name: str, shape: Any, device: Any = "cpu") -> torch.Tensor:
            raise AssertionError("constant noise draws nothing")

        def uniform(self, name: str, shape: Any, device: Any = "cpu", order: Any = None) -> torch.Tensor:
            count = shape[-1] if name == "importance_u" else 1
            return torch.linspace(0.1, 0.9, count).expand(*shape)

        def next_render(self) -> Draws:
            return self

    manner = {"draws": Even(), "noise_mode": "const", "depth_clamp": "view"}
    together = generator.f(x, **manner)
    for index in range(3):
        one = slice(index, index + 1)
        alone = {key: value[one] if key not in PASTE else value for key, value in x.items() if key != "cond"}
        alone["cond"] = {key: value[one] for key, value in x["cond"].items()}
        single = generator.f(alone, **manner)
        for name in ("image_raw", "image_depth", "image_weights", "image_xyz", "image_prepaste"):
            torch.testing.assert_close(together[name][one], single[name], rtol=0, atol=1e-3)


def test_rays_as_an_argument_are_those_inside_the_inputs_and_paste_too() -> None:
    generator, x = small_generator(), inputs(**PASTE)
    rays = perspective_rays_of_labels(labels_of([_camera()]), 8)
    forced = {"ray_origins": as_image(rays.origins), "ray_directions": as_image(rays.directions)}
    inside = generator.f({**x, "force_rays": forced}, draws=_seeded())
    assert _same(_flat(generator.f(x, force_rays=forced, draws=_seeded())), _flat(inside))
    assert not torch.equal(inside["image"], generator.f(x, draws=_seeded())["image"])
    other = {key: value.flip(3) for key, value in forced.items()}
    assert _same(_flat(generator.f({**x, "force_rays": forced}, force_rays=other, draws=_seeded())), _flat(inside))


def _camera() -> Any:
    from _exchange.camera import Camera

    return Camera(5.0, -15.0, 1.0, 25.0)


def test_labels_stand_for_the_angles_they_come_from() -> None:
    generator, x = small_generator(), inputs(2)
    by_angles = generator.f(x, draws=_seeded(), return_more=True)
    by_labels = {key: x[key] for key in ("cond", "seeds")} | {"camera_params": by_angles["more"]["camera_params"]}
    again = generator.f(by_labels, draws=_seeded())
    torch.testing.assert_close(again["image_weights"], by_angles["image_weights"], rtol=0, atol=2e-3)


def test_styles_latents_and_seeds_are_three_ways_to_say_the_same() -> None:
    generator, x = small_generator(), inputs()
    by_seed = generator.f(x, draws=_seeded(), return_more=True)
    z = by_seed["more"]["request"].z
    without = {key: value for key, value in x.items() if key != "seeds"}
    for given in ({"z": z}, {"zs": z[:, None].repeat(1, generator.num_ws, 1)}, {"ws": by_seed["more"]["ws"]}):
        again = generator.f({**without, **given}, draws=_seeded())
        torch.testing.assert_close(again["image_raw"], by_seed["image_raw"], rtol=0, atol=1e-3)


def test_each_style_has_its_own_latent() -> None:
    generator = small_generator()
    zs = torch.randn(2, generator.num_ws, 24, generator=torch.Generator().manual_seed(3))
    generator.get_buffer("backbone.mapping.w_avg").fill_(0.5)
    found = generator.mapping_zplus(zs, None, truncation_psi=0.6, truncation_cutoff=3)
    for index in range(generator.num_ws):
        alone = generator.mapping(zs[:, index], None, truncation_psi=0.6, truncation_cutoff=3)
        torch.testing.assert_close(found[:, index], alone[:, index], rtol=0, atol=1e-5)


def test_an_injection_inside_the_inputs_reaches_the_masks_and_an_argument_does_not() -> None:
    x = inputs(**PASTE)
    injected = {"da_1": torch.full((1, 16, 8, 8), 3.0)}
    seen: list[torch.Tensor] = []

    class Watching(TriPlaneGenerator):
        def planes(self, *args: Any, **kwargs: Any) -> torch.Tensor:
            seen.append(super().planes(*args, **kwargs))
            return seen[-1]

    generator = small_generator()
    generator.__class__ = Watching

    def planes_of(**options: Any) -> list[torch.Tensor]:
        seen.clear()
        generator.f(x | options.pop("inside", {}), draws=_seeded(), **options)
        return list(seen)

    plain, argument = planes_of(), planes_of(latent_injection=injected)
    inside = planes_of(inside={"latent_injection": injected})
    changed = [[not torch.equal(a, b) for a, b in zip(plain, other)] for other in (argument, inside)]
    assert changed == [[True, False, False], [True, True, True]]
    const = planes_of(noise_mode="const")
    assert len(const) == 1, "without fresh noise the mask renders share the planes"


def test_shifts_of_styles_are_not_stored() -> None:
    generator, x = small_generator(), inputs()
    shift = {"dw": torch.ones(1, 16), "dws": torch.ones(1, generator.num_ws, 16)}
    plain = generator.f(x, draws=_seeded(), return_more=True)
    moved = generator.f({**x, "latent_injection": shift}, draws=_seeded(), return_more=True)
    assert torch.equal(moved["more"]["ws"], plain["more"]["ws"])
    by_hand = generator.f({**x, "ws": plain["more"]["ws"] + 2}, draws=_seeded())
    torch.testing.assert_close(moved["triplane"], by_hand["triplane"])
    assert torch.equal(shifted(plain["more"]["ws"], {}), plain["more"]["ws"])


def test_the_front_image_is_pasted_where_the_mask_says() -> None:
    results = small_generator().f(inputs(**PASTE), draws=_seeded())
    paste = results["paste"]
    masks = [paste[name] for name in paste if name.startswith("mask_")]
    torch.testing.assert_close(paste["mask"], torch.stack(masks).prod(0))
    assert len(masks) == 5
    expected = results["image_prepaste"] + (paste["paste"] - results["image_prepaste"]) * paste["mask"]
    torch.testing.assert_close(results["image"], expected)
    assert torch.equal(paste["image"], results["image"])


def test_normalised_pictures_are_the_others_stretched() -> None:
    generator, x = small_generator(), inputs(**PASTE)
    unit, signed = generator.f(x, draws=_seeded()), generator.f(x, draws=_seeded(), normalize_images=True)
    for name in ("image", "image_raw", "image_prepaste"):
        torch.testing.assert_close(2 * unit[name] - 1, signed[name], rtol=0, atol=1e-5)
    inside = generator.f({**x, "normalize_images": False}, draws=_seeded(), normalize_images=True)
    assert torch.equal(inside["image"], unit["image"]), "what the inputs say goes before the argument"


@pytest.mark.parametrize("size", [64, 128, 256])
def test_any_size_of_picture(size: int) -> None:
    generator = small_generator(img_resolution=size)
    results = generator.f(inputs(size=size, **PASTE), draws=_seeded())
    assert results["image"].shape == results["paste"]["paste"].shape == (1, 3, size, size)
    assert results["paste"]["mask"].shape == (1, 1, size, size)


def test_the_stream_goes_on_after_a_paste_as_if_the_masks_had_been_whole_renders() -> None:
    """With random noise in the super-resolution, each of the three renders draws it."""
    kwargs = init_kwargs(rendering_kwargs=rendering_kwargs(superresolution_noise_mode="random"))
    generator = small_generator(rendering_kwargs=kwargs["rendering_kwargs"])
    drawn: list[tuple[str, tuple[int, ...]]] = []

    class Listed(GeneratorDraws):
        def normal(self, name: str, shape: Any, device: Any = "cpu") -> torch.Tensor:
            drawn.append((name, tuple(shape)))
            return super().normal(name, shape, device)

        def uniform(self, name: str, shape: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
            drawn.append((name, tuple(shape)))
            return super().uniform(name, shape, *args, **kwargs)

    generator.f(inputs(**PASTE), draws=Listed(torch.Generator().manual_seed(0)))
    third = len(drawn) // 3
    assert drawn[:third] == drawn[third : 2 * third] == drawn[2 * third :]
    assert [name for name, _ in drawn[:third]][-6:] == [
        "stratified_jitter",
        "importance_u",
        *(f"superresolution.block{block}.conv{conv}" for block in range(2) for conv in range(2)),
    ]


def test_synthesis_forward_and_sample_agree_with_f() -> None:
    generator, x = small_generator(), inputs()
    whole = generator.f(x, draws=_seeded(), return_more=True, normalize_images=True)
    more = whole["more"]
    pictures = generator.synthesis(more["ws"], more["camera_params"], x["cond"], draws=_seeded())
    torch.testing.assert_close(pictures["image"], whole["image"])
    forward = generator(more["request"].z, more["camera_params"], x["cond"], draws=_seeded())
    torch.testing.assert_close(forward["image"], whole["image"])
    points = torch.rand(1, 20, 3) - 0.5
    z, c = more["request"].z, more["camera_params"]
    mixed = generator.sample_mixed(points, None, more["ws"], x["cond"], noise_mode="const")
    sampled = generator.sample(points, None, z, c, x["cond"], noise_mode="const")
    assert torch.equal(sampled["sigma"], mixed["sigma"])
    assert torch.equal(mixed["xyz"], points)
    field = generator.field(generator.planes(more["ws"], x["cond"], Noise("const")))
    assert torch.equal(mixed["rgb"], PlainEngine().decode(field, points).features)


def test_gradients_reach_every_trainable_number_that_acts() -> None:
    generator = small_generator().requires_grad_(True)
    results = generator.f(inputs(), draws=_seeded())
    (results["image"].mean() + results["image_weights"].mean()).backward()
    without = [name for name, p in generator.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    silent = [name for name in without if not name.startswith("superresolution.") or "noise_strength" not in name]
    assert len(without) == 4, "the super-resolution has no noise here"
    assert silent == []


def test_nothing_is_drawn_in_constant_noise_but_the_samples() -> None:
    generator, x = small_generator(), inputs()
    first = generator.f(x, draws=_seeded(1), noise_mode="const")["triplane"]
    assert torch.equal(first, generator.f(x, draws=_seeded(2), noise_mode="const")["triplane"])
    assert not torch.equal(first, generator.f(x, draws=_seeded(1))["triplane"])


@pytest.mark.parametrize("constructed", [1, 0])
def test_only_the_constructor_reads_which_axes_the_planes_span(constructed: int) -> None:
    """A ramp along the columns of plane 2 reads y, or z as EG3D had it; the live setting changes neither."""
    generator = TriPlaneGenerator(**init_kwargs(rendering_kwargs=rendering_kwargs(use_triplane=constructed)))
    generator.rendering_kwargs.update(use_triplane=1 - constructed, box_warp=2.0)
    ramp = (2 * torch.arange(16) + 1) / 16 - 1
    planes = torch.zeros(1, 3, 12, 16, 16)
    planes[:, 2] = ramp
    field = generator.field(planes)
    point = torch.tensor([[[0.0, 0.25, -0.5]]])
    found = sample_planes(field.planes, point, field.box_warp, field.triplane_depth, field.use_triplane)
    torch.testing.assert_close(found[0, 2, 0], torch.full((4,), 0.25 if constructed else -0.5))
