"""One character: its views are those of `G.f`, its mesh that of `extract_mesh`, whatever is shared and kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import trimesh

from _exchange.camera import CAM60, ORTHO, SPIN12, Camera
from _exchange.errors import InputError
from _exchange.protocol import CORRECTED, PAPER, Protocol
from tests.training.small_generator import inputs, rendering_kwargs, small_generator
from torch_utils.determinism import GeneratorDraws
from training.character import LATENT_SEED, Character, Drawing, View
from training.engine.choose import engine_named
from training.engine.interface import Clearing
from training.paste import PasteParams
from training.view_draws import ViewDraws
from training.volume import extract_mesh

CLEARING = Clearing(triplane_crop=0.05, cull_clouds=0.4)
PASTE = PasteParams(thresh_weight=0.5, thresh_occ=0.5, thresh_dxyz=0.05)
CAMERAS = (ORTHO["front"], ORTHO["left"], CAM60[SPIN12[1]], replace(CAM60[3], dist=1.2))


def character(
    protocol: Protocol = CORRECTED, paste: PasteParams | None = PASTE, engine: str = "plain", **changes: object
) -> Character:
    drawing = Drawing(protocol, CLEARING, paste)
    return Character(small_generator(**changes), inputs()["cond"], engine_named(engine), drawing)


def asked_of_f(camera: Camera, paste: PasteParams | None = PASTE) -> dict:
    """The inputs of `G.f` for the same picture."""
    angles = {"elevations": [camera.elev], "azimuths": [camera.azim], "fovs": [camera.fov], "distances": [camera.dist]}
    options = {"triplane_crop": CLEARING.triplane_crop, "cull_clouds": CLEARING.cull_clouds}
    if paste is not None:
        options["paste_params"] = {"thresh_weight": 0.5, "thresh_occ": 0.5, "thresh_dxyz": 0.05}
        options["paste_params"]["front_weight_erosion"] = paste.front_weight_erosion
    return {"cond": inputs()["cond"], "seeds": [LATENT_SEED], **angles, **options}


def assert_is(view: View, results: dict) -> None:
    pasted = results["paste"].get("mask") if "paste" in results else None
    torch.testing.assert_close(view.opacity, results["image_weights"][0, 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(view.unpasted, results.get("image_prepaste", results["image"])[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(view.image, results["image"][0], atol=1e-4, rtol=0)
    assert pasted is None or 0.01 < float(pasted.mean()) < 0.99


@pytest.mark.parametrize("erosion", [0, 2])
def test_views_of_paper_are_those_of_one_stream_through_f(erosion: int) -> None:
    paste = replace(PASTE, front_weight_erosion=erosion)
    one, stream = character(PAPER, paste), GeneratorDraws.seeded(5)
    draws = ViewDraws(one.generator, "stream", CAMERAS, 5, renders=3 if erosion else 2)
    for camera in CAMERAS:
        results = one.generator.f(asked_of_f(camera, paste), draws=stream)
        assert_is(one.view(camera, draws.of(camera, "somebody")), results)


def test_views_of_corrected_share_the_planes_of_constant_noise() -> None:
    one = character()
    for camera in CAMERAS:
        drawn = one.generator.f(
            asked_of_f(camera), draws=GeneratorDraws.seeded(7), noise_mode="const", depth_clamp="view"
        )
        assert_is(one.view(camera, GeneratorDraws.seeded(7)), drawn)


def test_without_pasting_the_picture_is_the_unpasted_one() -> None:
    view = character(paste=None).view(CAMERAS[1], GeneratorDraws.seeded(7))
    assert torch.equal(view.image, view.unpasted)


def test_a_view_does_not_depend_on_the_views_before_it() -> None:
    one, other = character(PAPER), character(PAPER)
    draws = ViewDraws(one.generator, "stream", CAMERAS)
    forwards = [one.view(camera, draws.of(camera, "x")).image for camera in CAMERAS]
    backwards = [other.view(camera, draws.of(camera, "x")).image for camera in reversed(CAMERAS)]
    for first, second in zip(forwards, reversed(backwards)):
        assert torch.equal(first, second)


@pytest.mark.parametrize("white_back", [True, False])
def test_positions_are_weighted_means_without_background(white_back: bool) -> None:
    one = character(rendering_kwargs=rendering_kwargs(white_back=white_back))
    view = one.view(ORTHO["front"], GeneratorDraws.seeded(7))
    solid = view.opacity > 0.999
    assert solid.any()
    # An orthographic front ray keeps its x and y: those of the pixel's centre.
    centres = ((torch.arange(8) + 0.5) / 8 - 0.5) * 0.7
    across, up = centres.expand(8, 8), -centres[:, None].expand(8, 8)
    torch.testing.assert_close(view.weighted_position[0][solid], across[solid], atol=1e-3, rtol=0)
    torch.testing.assert_close(view.weighted_position[1][solid], up[solid], atol=1e-3, rtol=0)
    nothing = view.opacity < 1e-6
    assert view.weighted_position[:, nothing].abs().max() < 1e-5 if nothing.any() else True


@pytest.mark.parametrize("protocol", [PAPER, CORRECTED], ids=["paper", "corrected"])
def test_the_mesh_is_that_of_the_volume_module(protocol: Protocol) -> None:
    one = character(protocol)
    found = one.mesh(24)
    options = {"cond": inputs()["cond"], "seeds": [LATENT_SEED], "triplane_crop": 0.05, "cull_clouds": 0.4}
    expected = extract_mesh(one.generator, options, 24, protocol, engine=engine_named("plain"))
    assert len(found.faces) == len(expected.faces) > 100
    assert abs(found.verts - expected.verts).max() < 1e-4


def test_only_the_largest_piece_is_kept_where_that_is_asked_for() -> None:
    whole = character().mesh(24)
    drawing = Drawing(CORRECTED, CLEARING, PASTE, largest_component=True)
    piece = Character(small_generator(), inputs()["cond"], engine_named("plain"), drawing).mesh(24)
    pieces = trimesh.Trimesh(whole.verts, whole.faces, process=False).split(only_watertight=False)
    assert len(pieces) > 1
    assert len(piece.faces) == len(max(pieces, key=lambda one: one.area).faces)


@pytest.mark.parametrize("protocol", [PAPER, CORRECTED], ids=["paper", "corrected"])
def test_the_fast_engine_draws_the_same_character(protocol: Protocol) -> None:
    plain, fast = character(protocol), character(protocol, engine="fast")
    for camera in CAMERAS[:2]:
        first, second = (one.view(camera, GeneratorDraws.seeded(7)) for one in (plain, fast))
        assert (first.unpasted - second.unpasted).abs().mean() < 1e-4
        assert ((first.image - second.image).abs() > 1e-2).float().mean() < 0.01


def test_styles_that_follow_the_camera_cannot_have_planes_per_view() -> None:
    seeing = rendering_kwargs(c_gen_conditioning_zero=False)
    with pytest.raises(InputError, match=r"c_gen_conditioning_zero.*protocol corrected"):
        character(PAPER, rendering_kwargs=seeing)
    character(CORRECTED, rendering_kwargs=seeing).view(CAMERAS[2], GeneratorDraws.seeded(7))


def test_a_front_image_of_another_size_cannot_be_pasted() -> None:
    generator, cond = small_generator(), inputs(size=32)["cond"]
    with pytest.raises(InputError, match=r"\(1, 3, 64, 64\) for pasting, found \(1, 3, 32, 32\)"):
        Character(generator, cond, engine_named("plain"), Drawing(CORRECTED, CLEARING, PASTE))
    Character(generator, cond, engine_named("plain"), Drawing(CORRECTED, CLEARING, None))
