"""The item that the reconstruction is trained on: one view with its geometry, and the four orthographic views.

Arrays are channel first, float32; pictures are in [0, 1] on white, positions in metres (`head_model`), camera labels
have 25 entries. Source: spec/data.md §8.3, spec/training.md §2.2–2.4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from _databacks.index import DatasetIndex
from _databacks.layout import PORTRAIT_KIND
from _databacks.names import BadName, PictureName
from _exchange.camera import camera_from_params, mirrored_label
from _exchange.frames import BOX_SIDE
from _exchange.pictures import composite_on_white, unit_from_bytes

ORTHO_VIEWS = ("front", "left", "right", "back")
_POSITION_KIND = {"rgb": "xyza", "rgb60": "xyza60", "ortho": "ortho_xyza"}
"""Kind of the position map that belongs to each kind of picture."""
_SWAPPED_BY_MIRROR = {"left": "right", "right": "left"}


def training_item(index: DatasetIndex, bn: str, size: int, *, mirrored: bool = False) -> dict[str, Any]:
    """The item of a five-part name.

    Args:
        index: where pictures and view metadata are looked up.
        bn: a picture of kind `rgb`, `rgb60`, `ortho` or `fandom_align`; a portrait takes everything but the front
            picture from the front orthographic view.
        size: side S of all pictures; they are resized to it by nearest neighbour.
        mirrored: the horizontally mirrored item (the second half of the doubled training set).

    Returns:
        ``image`` (3, S, S) uint8, ``xyz`` (3, S, S), ``alpha`` (1, S, S), ``camera`` (25,), and ``condition``:
        ``image``, ``image_xyz``, ``image_alpha``, ``image_camera`` of the view, and the same four of
        ``image_ortho_{front,left,right,back}``.

    Raises:
        BadName: the name has no position map.
        MissingPicture, UnknownItem: as `DatasetIndex.item`.
    """
    name = PictureName.parse(bn)
    is_portrait = name.dtype == PORTRAIT_KIND
    own_name = _ortho(name, "front") if is_portrait else name
    if own_name.dtype not in _POSITION_KIND:
        raise BadName(f"Expected a picture of kind rgb, rgb60, ortho or {PORTRAIT_KIND}, found {bn!r}.")
    own = _view(index, own_name, size, mirrored=mirrored)
    condition = {f"image{suffix}": array for suffix, array in own.items()}
    for view in ORTHO_VIEWS:
        source = _SWAPPED_BY_MIRROR.get(view, view) if mirrored else view
        arrays = _view(index, _ortho(name, source), size, mirrored=mirrored)
        arrays["_camera"] = _label(index, _ortho(name, view))  # these cameras mirror into themselves
        condition |= {f"image_ortho_{view}{suffix}": array for suffix, array in arrays.items()}
    if is_portrait:
        condition["image_ortho_front"] = _colour(index, name, size, mirrored=mirrored)
    return {
        "image": np.rint(own[""] * 255).astype(np.uint8),
        "xyz": own["_xyz"],
        "alpha": own["_alpha"],
        "camera": own["_camera"],
        "condition": condition,
    }


def nearest_indices(stored: int, wanted: int) -> NDArray[np.int64]:
    """Which of `stored` pixels each of `wanted` pixels takes, as Pillow's nearest neighbour does.

    The position is summed up step by step in double precision; the closed form differs where it should be whole.
    """
    step = stored / wanted
    steps = np.full(wanted, step)
    steps[0] = 0.5 * step
    return np.cumsum(steps).astype(np.int64)


def _ortho(name: PictureName, view: str) -> PictureName:
    return PictureName(name.renderset, "ortho", name.franch, name.idx, view)


def _view(index: DatasetIndex, name: PictureName, size: int, *, mirrored: bool) -> dict[str, NDArray[np.float32]]:
    """Colour, position, alpha and camera label of one view, by the suffixes of their keys."""
    kind = _POSITION_KIND[name.dtype]
    positions = PictureName(name.renderset, kind, name.franch, name.idx, name.view)
    encoded = unit_from_bytes(_resized(index, positions, size, mirrored=mirrored))
    xyz = encoded[:3] * np.float32(BOX_SIDE) - np.float32(BOX_SIDE / 2)
    label = _label(index, name)
    if mirrored:
        xyz[0] *= -1
        label = mirrored_label(label)
    colour = _colour(index, name, size, mirrored=mirrored)
    return {"": colour, "_xyz": xyz, "_alpha": encoded[3:], "_camera": label}


def _colour(index: DatasetIndex, name: PictureName, size: int, *, mirrored: bool) -> NDArray[np.float32]:
    rgba = _resized(index, name, size, mirrored=mirrored)
    return unit_from_bytes(np.ascontiguousarray(composite_on_white(rgba.transpose(1, 2, 0)).transpose(2, 0, 1)))


def _label(index: DatasetIndex, name: PictureName) -> NDArray[np.float32]:
    return camera_from_params(index.item(str(name), ("render_params",))["render_params"]).label()


def _resized(index: DatasetIndex, name: PictureName, size: int, *, mirrored: bool) -> NDArray[np.uint8]:
    """(4, size, size) stored values."""
    pixels = index.item(str(name), ("image",))["image"].pixels("RGBA")
    rows, cols = (nearest_indices(side, size) for side in pixels.shape[:2])
    taken = pixels[rows[:, None], cols[None, :]]
    return np.ascontiguousarray((taken[:, ::-1] if mirrored else taken).transpose(2, 0, 1))
