"""Recorded pictures of the original renderer, drawn again by both back ends: spec/renderer.md §10."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from _databacks.vrm import read_head_mesh
from _exchange.errors import MissingComponent
from _render.arrays import arrays_of_head_mesh
from _render.choose import renderer
from _render.kinds import KINDS, draw_kind, finished
from _render.rasterise_egl import EglRenderer
from _render.scene import Renderer, Scene
from _render.scene_cpu import CpuRenderer, CpuScene
from _render.shading import Plan, plan
from tests.parity.fixtures import IS_OTHER_ROOT, whatever_is_there
from tests.parity.render_acceptance import RecordedPicture, agreement, recorded_folders, recorded_pictures


def _hold_acceptance(listing: Path, draw: Callable[[RecordedPicture], NDArray[np.uint8]]) -> None:
    rejected = []
    with whatever_is_there() as part:
        for picture in recorded_pictures(listing):
            with part():
                if not agreement(picture.kind, draw(picture), picture.pixels).passes:
                    rejected.append(picture.path)
        assert rejected == []


def _drawer(back_end: Renderer) -> Callable[[RecordedPicture], NDArray[np.uint8]]:
    @cache
    def scene(model: Path, arm_turn: float) -> Scene:
        head_mesh = read_head_mesh(model, shading="paper", paper_pose=arm_turn)
        return back_end.load(head_mesh, "paper", "mesa")

    return lambda picture: draw_kind(scene(picture.model, picture.arm_turn), picture.kind, picture.camera)


@pytest.mark.parametrize("listing", recorded_folders())
def test_cpu_rasteriser_passes_acceptance_on_every_recorded_picture(listing):
    _hold_acceptance(listing, _drawer(CpuRenderer()))


@pytest.mark.parametrize("listing", recorded_folders())
def test_egl_passes_acceptance_on_every_recorded_picture(listing):
    try:
        back_end = renderer("egl")
    except MissingComponent as error:
        pytest.skip(str(error))
    assert isinstance(back_end, EglRenderer)
    if back_end.texture_filter != "mesa":
        pytest.skip(f"the pictures were drawn with Mesa's filter, and {back_end.device} has the ordinary one")
    _hold_acceptance(listing, _drawer(back_end))


@pytest.mark.parametrize("listing", recorded_folders())
def test_cpu_rasteriser_is_better_than_acceptance(listing):
    """Measured: IoU ≥ 0.9999, colour ≥ 0.9985, alpha ≥ 0.9996; a step back shows here before acceptance fails."""
    draw = _drawer(CpuRenderer())
    with whatever_is_there() as part:
        for picture in recorded_pictures(listing)[::4]:
            with part():
                found = agreement(picture.kind, draw(picture), picture.pixels)
                assert found.silhouette_iou >= 0.999
                assert found.colour >= 0.992
                assert found.alpha >= 0.992


# -- what must be rejected --------------------------------------------------------------------------------------


def _changed(change: Callable[[Plan], Plan]) -> Callable[[RecordedPicture], NDArray[np.uint8]]:
    """A drawer whose plan was changed."""

    @cache
    def scene(model: Path, arm_turn: float) -> CpuScene:
        head_mesh = read_head_mesh(model, shading="paper", paper_pose=arm_turn)
        changed = change(plan(head_mesh, "paper"))
        return CpuScene(changed, arrays_of_head_mesh(head_mesh, changed), "mesa")

    return lambda picture: draw_kind(scene(picture.model, picture.arm_turn), picture.kind, picture.camera)


def _in_every_draw(**changes) -> Callable[[Plan], Plan]:
    return lambda drawn: replace(drawn, draws=tuple(replace(draw, **changes) for draw in drawn.draws))


def _box_reduced(picture: RecordedPicture) -> NDArray[np.uint8]:
    kind = KINDS[picture.kind]
    drawing = _unreduced(picture)
    if kind.draw_size == 512:
        return drawing
    mean = drawing.reshape(512, 2, 512, 2, 4).astype(float).mean(axis=(1, 3))
    return finished(replace(kind, draw_size=512), (mean + 0.5).astype(np.uint8))


@cache
def _paper_scene(model: Path, arm_turn: float) -> Scene:
    return CpuRenderer().load(read_head_mesh(model, shading="paper", paper_pose=arm_turn), "paper", "mesa")


def _unreduced(picture: RecordedPicture) -> NDArray[np.uint8]:
    kind = KINDS[picture.kind]
    return _paper_scene(picture.model, picture.arm_turn).draw(picture.camera, kind.what, kind.draw_size)


def _opaque(picture: RecordedPicture) -> NDArray[np.uint8]:
    drawing = _unreduced(picture).copy()
    drawing[..., 3] = np.where(drawing[..., 3] > 0, 255, 0)
    return finished(KINDS[picture.kind], drawing)


CONTROLS = {
    "discard below 0.3": _changed(_in_every_draw(cutoff=0.3)),
    "back faces culled": _changed(_in_every_draw(cull="back")),
    "outside the cube dropped": _changed(lambda drawn: replace(drawn, outside="drop")),
    "last wins ties": _changed(lambda drawn: replace(drawn, ties="last")),
    "box supersampling": _box_reduced,
    "alpha forced to 255": _opaque,
}


@pytest.mark.parametrize("control", CONTROLS)
def test_wrong_rules_are_rejected_by_some_recorded_picture(control):
    if IS_OTHER_ROOT:
        pytest.skip("other recorded pictures than the shared ones need not tell these rules apart")
    listings = [parameter.values[0] for parameter in recorded_folders()]
    if listings == [None]:
        pytest.skip("no recorded pictures below PARITY_ROOT")
    draw = CONTROLS[control]
    assert any(
        not agreement(picture.kind, draw(picture), picture.pixels).passes
        for listing in reversed(listings)
        for picture in recorded_pictures(listing)
    )
