"""Random numbers of views: one stream through a list of them, or a stream of their own."""

from __future__ import annotations

import pytest
import torch

from _exchange.camera import CAM60, ORTHO
from tests.training.small_generator import rendering_kwargs, small_generator
from torch_utils.determinism import Draws, GeneratorDraws
from training.engine.interface import Clearing
from training.engine.plain import PlainEngine
from training.rays import labels_of, perspective_rays_of_labels
from training.view_draws import ViewDraws, pass_over_render

FRONT, LEFT, OTHER = ORTHO["front"], ORTHO["left"], CAM60[0]


def first_numbers(draws: Draws) -> list[float]:
    return draws.uniform("any", (4,)).tolist()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"depth_resolution_importance": 0},
        {"density_noise": 0.5},
        {"superresolution_noise_mode": "random"},
    ],
    ids=["published", "no fine pass", "density noise", "noisy super-resolution"],
)
def test_what_is_passed_over_is_what_a_render_draws(changes: dict) -> None:
    generator = small_generator(rendering_kwargs=rendering_kwargs(**changes))
    drawing, passing = (torch.Generator().manual_seed(3) for _ in range(2))
    draws = GeneratorDraws(drawing)
    ws = generator.mapping(torch.zeros(1, generator.z_dim), None)
    cond = {"image_ortho_front": torch.ones(1, 3, 64, 64), "resnet_chonk": torch.zeros(1, 12, 8, 8)}
    planes = generator.planes(ws, cond, generator.noise("random", draws))
    rays = perspective_rays_of_labels(labels_of([OTHER]), generator.neural_rendering_resolution)
    composite = PlainEngine().render(generator.field(planes), rays, generator.sampling(), Clearing(), draws)
    generator.pictures(composite, ws, draws)
    pass_over_render(generator, GeneratorDraws(passing))
    assert torch.equal(drawing.get_state(), passing.get_state())


def test_views_of_a_stream_follow_one_another_and_no_character_matters() -> None:
    generator, stream = small_generator(), GeneratorDraws.seeded(9)
    draws = ViewDraws(generator, "stream", [FRONT, LEFT], seed=9)
    pass_over_render(generator, stream)
    pass_over_render(generator, stream)
    assert first_numbers(draws.of(LEFT, "a")) == first_numbers(draws.of(LEFT, "b")) == first_numbers(stream)
    assert first_numbers(draws.of(FRONT, "a")) == first_numbers(GeneratorDraws.seeded(9))


def test_other_views_depend_on_seed_character_and_camera_and_on_nothing_else() -> None:
    generator = small_generator()

    def numbers(camera=OTHER, name="a", seed=0, way="camera"):
        return tuple(first_numbers(ViewDraws(generator, way, [FRONT], seed).of(camera, name)))

    assert numbers() == numbers() == numbers(way="stream")
    assert len({numbers(), numbers(camera=LEFT), numbers(name="b"), numbers(seed=1)}) == 4
    # Adler-32 of "0/a/60/-180/1/30", by hand: 1 + Σ bytes, and the sum of the partial sums, modulo 65521.
    text = b"0/a/60/-180/1/30"
    low, high = 1, 0
    for byte in text:
        low = (low + byte) % 65521
        high = (high + low) % 65521
    assert numbers() == tuple(first_numbers(GeneratorDraws.seeded(high * 65536 + low)))
