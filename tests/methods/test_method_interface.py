"""The interface of methods: set the item once, query many."""

from __future__ import annotations

import numpy as np
import pytest

from _exchange.camera import ORTHO
from _exchange.errors import InputError
from _exchange.items import ItemId
from _methods.interface import MethodSettings, Rendering
from tests.methods.quick_method import Quick
from tests.methods.tiny_dataset import method_input, portrait_of_disc

FRONT = ORTHO["front"]


def test_render_before_set_item_names_the_call_to_make():
    with pytest.raises(InputError, match=r"before render.*Call set_item\(…\) first"):
        Quick(MethodSettings()).render(FRONT)


def test_mesh_before_set_item_names_the_call_to_make():
    with pytest.raises(InputError, match=r"before mesh.*Call set_item\(…\) first"):
        Quick(MethodSettings()).mesh()


def test_an_item_is_set_once_and_queried_many_times():
    method = Quick(MethodSettings())
    method.set_item(method_input(portrait_of_disc(50)))
    assert (method.render(FRONT).image == method.render(FRONT).image).all()
    assert len(method.mesh().faces) == 1


def test_the_next_item_replaces_the_one_before():
    method = Quick(MethodSettings())
    method.set_item(method_input(portrait_of_disc(50)))
    before = method.render(FRONT).image
    method.set_item(method_input(portrait_of_disc(60)))
    assert (method.render(FRONT).image != before).any()


def test_after_an_item_that_failed_nothing_of_the_one_before_is_left():
    method = Quick(MethodSettings(options={"fails": "made/second"}))
    method.set_item(method_input(portrait_of_disc(50), "made/first"))
    with pytest.raises(InputError, match="another item"):
        method.set_item(method_input(portrait_of_disc(50), "made/second"))
    with pytest.raises(InputError, match="set_item"):
        method.render(FRONT)


def test_an_unpasted_twin_of_another_size_is_refused():
    image, alpha = np.zeros((512, 512, 3), np.uint8), np.zeros((512, 512), np.uint8)
    position = np.zeros((512, 512, 3), np.float32)
    with pytest.raises(InputError, match=r"\(512, 512, 4\) and dtype uint8, found \(512, 512, 3\)"):
        Rendering(image, alpha, position, unpasted=image)


@pytest.mark.parametrize(
    "portrait",
    [np.zeros((512, 512, 3), np.uint8), np.zeros((256, 256, 4), np.uint8), np.zeros((512, 512, 4), np.float32)],
    ids=["no alpha", "small", "float"],
)
def test_a_portrait_of_another_form_is_refused_with_what_was_found(portrait):
    with pytest.raises(InputError) as caught:
        Quick(MethodSettings()).set_item(method_input(portrait))
    assert str(portrait.shape) in str(caught.value)
    assert str(portrait.dtype) in str(caught.value)


@pytest.mark.parametrize("resolution", [0, 7, 1025])
def test_a_resolution_outside_the_limits_is_refused(resolution):
    method = Quick(MethodSettings())
    method.set_item(method_input(portrait_of_disc(50)))
    with pytest.raises(InputError, match=f"between 8 and 1024, found {resolution}"):
        method.mesh(resolution)


def test_an_unknown_option_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"fails, breaks, dies, interrupts.*'speed'"):
        Quick(MethodSettings(options={"speed": 3}))


def test_the_seed_of_an_item_depends_on_its_name_and_the_root_only():
    assert MethodSettings(seed=7).seed_text(ItemId("hololive", "inugami_korone_v1.03")) == (
        "7/hololive/inugami_korone_v1.03"
    )


# -- renderings -------------------------------------------------------------------------------------------------


def _rendering(**changes: np.ndarray) -> Rendering:
    arrays = {
        "image": np.zeros((2, 2, 3), np.uint8),
        "alpha": np.full((2, 2), 255, np.uint8),
        "position": np.zeros((2, 2, 3), np.float32),
    }
    return Rendering(**{**arrays, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"image": np.zeros((2, 2, 3), np.float32)},
        {"image": np.zeros((2, 2, 4), np.uint8)},
        {"alpha": np.zeros((3, 2), np.uint8)},
        {"position": np.zeros((2, 2, 3))},
    ],
    ids=["float image", "four channels", "other size", "double position"],
)
def test_a_rendering_of_another_form_is_refused(changes):
    with pytest.raises(InputError, match="Expected uint8 image"):
        _rendering(**changes)


def test_the_picture_file_is_the_image_and_its_alpha():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    alpha = np.array([[1, 2], [3, 4]], np.uint8)
    assert _rendering(image=image, alpha=alpha).rgba().tolist() == [
        [[0, 1, 2, 1], [3, 4, 5, 2]],
        [[6, 7, 8, 3], [9, 10, 11, 4]],
    ]


def test_the_position_file_holds_shares_of_the_cube():
    position = np.array([[[-0.35, 0, 0.35], [0.07, -0.07, 0.14]]] * 2, np.float32)
    encoded = _rendering(position=position).position_map()[0]
    # (x + 0.35)/0.7·255: 0, 127.5 and 255; 153, 102 and 178.5.
    assert encoded[0].tolist() in ([0, 127, 255, 255], [0, 128, 255, 255])
    assert encoded[1, :2].tolist() == [153, 102]
    assert encoded[1, 2] in (178, 179)


def test_the_position_file_is_empty_where_no_surface_is_met():
    position = np.full((2, 2, 3), np.nan, np.float32)
    position[1, 1] = 0.1
    encoded = _rendering(position=position).position_map()
    assert encoded[0].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0]]
    assert encoded[1, 1, 3] == 255
