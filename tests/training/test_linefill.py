"""Line filling as a whole: spec/linefill.md §1 by what it may and may not change, and odd pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from _exchange.errors import InputError
from _exchange.pictures import bytes_from_unit
from training.face_hull import face_hull
from training.linefill import FilledPicture, fill_lines, lines_to_fill
from training.linefill_networks import LineFiller

NO_LANDMARKS = np.zeros((0, 3))


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LineFiller().eval()


@pytest.fixture
def drawing():
    """(60, 70, 4): dark strokes on a pale, partly transparent disc."""
    image = Image.new("RGBA", (70, 60), (250, 220, 210, 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse((5, 5, 64, 54), fill=(250, 220, 210, 200), outline=(20, 10, 10, 255), width=2)
    draw.line((20, 20, 50, 22), fill=(20, 10, 10, 255), width=2)
    draw.line((30, 40, 42, 40), fill=(20, 10, 10, 255), width=1)
    return np.asarray(image)


def landmarks():
    """(28, 2) around the upper stroke of the drawing."""
    points = np.zeros((28, 2))
    points[:, 0] = 21 + np.sin(np.arange(28))
    points[:, 1] = np.linspace(25, 45, 28)
    return points


def on_white(rgba):
    """Pillow's compositing, (H, W, 3) bytes."""
    white = Image.new("RGBA", (rgba.shape[1], rgba.shape[0]), (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, Image.fromarray(rgba)))[..., :3]


# -- what may change --------------------------------------------------------------------------------------------


def test_only_lines_change(model, drawing):
    filled = fill_lines(model, drawing, NO_LANDMARKS)
    expected = on_white(drawing).astype(np.float32) / 255
    changed = (filled.rgba[..., :3] != expected).any(axis=-1)
    assert changed.any()
    assert not (changed & ~filled.mask).any()
    assert changed[filled.mask].mean() > 0.99


def test_lines_are_repainted_where_the_drawing_has_strokes(model, drawing):
    dark = on_white(drawing).max(axis=-1) < 60
    assert fill_lines(model, drawing, NO_LANDMARKS).mask[dark].mean() > 0.9


def test_alpha_stays(model, drawing):
    filled = fill_lines(model, drawing, NO_LANDMARKS)
    np.testing.assert_allclose(filled.rgba[..., 3], drawing[..., 3] / 255, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(filled.rgba_bytes[..., 3], drawing[..., 3])


def test_protected_parts_stay(model, drawing):
    hull = face_hull(landmarks(), *drawing.shape[:2])
    unprotected = fill_lines(model, drawing, NO_LANDMARKS)
    assert unprotected.mask[hull].any()
    filled = fill_lines(model, drawing, landmarks())
    np.testing.assert_array_equal(filled.mask, unprotected.mask & ~hull)
    np.testing.assert_array_equal(bytes_from_unit(filled.rgba[..., :3])[hull], on_white(drawing)[hull])


def test_colours_follow_the_networks(model, drawing):
    hull = face_hull(landmarks(), *drawing.shape[:2])
    picture = on_white(drawing).astype(np.float32) / 255
    image = torch.from_numpy(picture).permute(2, 0, 1)[None]
    mask, face = (torch.from_numpy(part)[None, None].float() for part in (lines_to_fill(picture, hull), hull))
    with torch.no_grad():
        expected = model(image, mask, face)[0].permute(1, 2, 0)
    filled = fill_lines(model, drawing, landmarks())
    np.testing.assert_allclose(filled.rgba[..., :3], expected, rtol=0, atol=5e-6)


def test_mask_is_grown_and_then_protected():
    picture = np.ones((9, 9, 3), np.float32)
    picture[4, 4] = 0
    hull = np.zeros((9, 9), bool)
    hull[5, 5] = True
    assert np.argwhere(lines_to_fill(picture, hull)).tolist() == [[4, 4], [4, 5], [5, 4]]


def test_scores_of_landmarks_play_no_part(model, drawing):
    scored = np.column_stack([landmarks(), np.full(28, 0.3)])
    ours, theirs = fill_lines(model, drawing, scored), fill_lines(model, drawing, landmarks())
    np.testing.assert_array_equal(ours.rgba, theirs.rgba)


def test_nothing_given_is_written_to(model, drawing):
    given, points = drawing.copy(), landmarks()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fill_lines(model, given, points)
    np.testing.assert_array_equal(given, drawing)
    np.testing.assert_array_equal(points, landmarks())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_twice_the_same_bytes(model, drawing):
    first, second = (fill_lines(model, drawing, landmarks()).rgba.tobytes() for _ in range(2))
    assert first == second


# -- bytes ------------------------------------------------------------------------------------------------------


def test_front_condition_is_truncated_and_then_put_on_white():
    """Half a step more than 100 is 100; what is below 0 is 0; alpha 128 of 255 mixes with white by Pillow's rule."""
    rgba = np.array([[[100.5 / 255, -0.4, 1, 1], [0, 0, 0, 128 / 255], [0.3, 0.3, 0.3, 0]]], np.float32)
    filled = FilledPicture(rgba, np.zeros((1, 3), bool))
    assert filled.rgba_bytes[0, 0].tolist() == [100, 0, 255, 255]
    assert filled.front[0].tolist() == [[100, 0, 255], [127, 127, 127], [255, 255, 255]]


def test_front_condition_of_an_opaque_drawing_without_lines_is_the_drawing(model):
    even = np.full((12, 12, 4), 255, np.uint8)
    even[..., :3] = (13, 200, 77)
    filled = fill_lines(model, even, NO_LANDMARKS)
    np.testing.assert_array_equal(filled.front, even[..., :3])


# -- odd pictures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 3), (13, 300)])
def test_pictures_of_any_size(model, size):
    rgba = np.random.default_rng(0).integers(0, 256, (*size, 4), np.uint8)
    for points in (NO_LANDMARKS, landmarks(), landmarks() * -7e4):
        filled = fill_lines(model, rgba, points)
        assert filled.rgba.shape == (*size, 4)
        assert filled.rgba.dtype == np.float32
        assert np.isfinite(filled.rgba).all()
        assert filled.front.shape == (*size, 3)


def test_invisible_picture_is_white(model):
    rgba = np.random.default_rng(0).integers(0, 256, (20, 20, 4), np.uint8)
    rgba[..., 3] = 0
    filled = fill_lines(model, rgba, landmarks())
    assert not filled.mask.any()
    assert (filled.front == 255).all()


def test_views_and_read_only_pictures_are_taken(model, drawing):
    mirrored = drawing[:, ::-1]
    mirrored.flags.writeable = False
    np.testing.assert_array_equal(
        fill_lines(model, mirrored, NO_LANDMARKS).rgba, fill_lines(model, mirrored.copy(), NO_LANDMARKS).rgba
    )


@pytest.mark.parametrize(
    "rgba",
    [
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.float32),
        np.zeros((0, 4, 4), np.uint8),
        np.zeros((1, 4, 4, 4), np.uint8),
    ],
)
def test_other_pictures_are_refused(model, rgba):
    with pytest.raises(InputError, match="Expected an RGBA picture of bytes, found"):
        fill_lines(model, rgba, NO_LANDMARKS)


@pytest.mark.parametrize("points", [np.full((28, 2), np.nan), np.full((28, 3), 1e30), np.zeros((68, 2))])
def test_landmarks_that_cannot_be_drawn_are_refused(model, drawing, points):
    with pytest.raises(InputError, match="landmarks"):
        fill_lines(model, drawing, points)


def test_models_in_training_are_refused(drawing):
    with pytest.raises(InputError, match=r"evaluation mode.*eval\(\)"):
        fill_lines(LineFiller().train(), drawing, NO_LANDMARKS)
