"""Alignment of illustrations: detections, the matrix that brings a face into the dataset frame, and its files.

Points are (row, col) pixels of a picture, matrices act on (row, col, 1). Source: spec/data.md §6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _databacks.layout import PORTRAIT_KIND, SetFolder
from _databacks.names import PictureName
from _exchange import atomic, restricted_pickle
from _exchange.camera import seeded_random_state
from _exchange.errors import FormatError, InputError
from _exchange.items import Alignment, ItemId, Region
from _exchange.run_record import read_json_object

LANDMARKS = 28
LANDMARK_GROUPS: Mapping[str, slice] = {
    "chin": slice(0, 5),
    "right_lash": slice(5, 8),
    "left_lash": slice(8, 11),
    "right_eye": slice(11, 17),
    "left_eye": slice(17, 23),
    "nose": slice(23, 24),
    "mouth": slice(24, 28),
}
"""Rows of (28, 3) landmarks; right and left are the character's."""
TARGET_CENTRE = (294.9637145996094, 255.85690307617188)
TARGET_CENTRE_ROW_DEVIATION = 8.072593688964844
TARGET_SPREAD = 13.355611801147461
"""Statistics of landmarks detected on front orthographic renders of Vroid models, pixels of 512² pictures."""


@dataclass(frozen=True, eq=False)
class Detections:
    """Faces found in one illustration.

    Attributes:
        boxes: (n, 5) float64 row, col, height, width, score.
        keypoints: (n, 28, 3) float64 row, col, score.
    """

    boxes: NDArray[np.float64]
    keypoints: NDArray[np.float64]


# -- the matrix -------------------------------------------------------------------------------------------------


def vertical_jitter(detection_name: str) -> float:
    """ξ of dataset creation: the first of three normals seeded by ``{source}-{detection:04d}``."""
    return float(seeded_random_state(detection_name).standard_normal(3)[0])


def alignment_matrix(keypoints: NDArray[np.floating], jitter: float = 0.0) -> NDArray[np.float64]:
    """(3, 3) matrix that moves and scales 28 landmarks to the usual place and size; it never rotates.

    Args:
        keypoints: (28, 2 or 3) row, col[, score] in the source picture; scores are ignored.
        jitter: ξ: 0 for inference, `vertical_jitter` when a dataset is made.

    Raises:
        InputError: another shape, values that are not finite, or all landmarks at one distance from their mean.
    """
    points = np.asarray(keypoints, np.float64)
    if points.ndim != 2 or len(points) != LANDMARKS or points.shape[1] not in (2, 3):
        raise InputError(f"Expected landmarks of shape (28, 2) or (28, 3), found {points.shape}.")
    points = points[:, :2]
    centre = points.mean(axis=0)
    spread = np.linalg.norm(points - centre, axis=1).std()
    if not np.isfinite(spread) or spread < 1e-9:
        raise InputError(f"Expected 28 finite landmarks of a face, found a spread of {spread} pixels.")
    scale = TARGET_SPREAD / spread
    target = np.array([TARGET_CENTRE[0] + TARGET_CENTRE_ROW_DEVIATION * jitter, TARGET_CENTRE[1]])
    matrix = np.diag([scale, scale, 1.0])
    matrix[:2, 2] = target - scale * centre
    return matrix


def keypoints_through(matrix: NDArray[np.floating], keypoints: NDArray[np.floating]) -> NDArray[np.float64]:
    """(…, 3) row, col, score moved by a (3, 3) matrix; the score stays."""
    moved = np.array(keypoints, np.float64)
    moved[..., :2] = moved[..., :2] @ matrix[:2, :2].T + matrix[:2, 2]
    return moved


def identity_alignment(region: Region, source: str) -> Alignment:
    """The alignment of a picture that already stands in the dataset frame."""
    return Alignment(source, np.eye(3), region, np.zeros((0, 3)))


# -- files ------------------------------------------------------------------------------------------------------


def read_detections(path: Path) -> dict[str, Detections]:
    """Face detections by source string, from ``facecrop_fandom.pkl``.

    Raises:
        InputError: there is no such file.
        FormatError: it holds something else.
    """
    return {source: _detections(entry, source, path) for source, entry in _read_pickle(path).items()}


def _detections(entry: Any, source: str, path: Path) -> Detections:
    try:
        boxes = np.asarray(entry["bbox"], np.float64).reshape(-1, 5)
        keypoints = np.asarray(entry["keypoints"], np.float64).reshape(-1, LANDMARKS, 3)
    except (TypeError, KeyError, ValueError) as error:
        raise FormatError(source, "bbox (n, 5) and keypoints (n, 28, 3)", repr(entry)[:80], file=path) from error
    if len(boxes) != len(keypoints):
        raise FormatError(source, f"{len(boxes)} sets of keypoints", str(len(keypoints)), file=path)
    return Detections(boxes, keypoints)


def read_alignments(folder: SetFolder) -> dict[ItemId, Alignment]:
    """Alignment by item, from the JSON file where there is one, else from the original's pickle.

    Raises:
        InputError: neither file exists.
        FormatError: the file holds something else.
    """
    path = folder.alignment_json if folder.alignment_json.is_file() else folder.alignment_pickle
    if not path.is_file():
        raise InputError(f"Expected the alignment {folder.alignment_json} (or .pkl), found neither.")
    entries = read_json_object(path) if path == folder.alignment_json else _read_pickle(path)
    return {_item_of(name, path): _alignment(entry, name, path) for name, entry in entries.items()}


def write_alignments(folder: SetFolder, alignments: Mapping[ItemId, Alignment]) -> None:
    """Write the JSON file, sorted by item."""
    entries = {
        str(PictureName(folder.path.name, PORTRAIT_KIND, item.franch, item.idx, "front")): {
            "source": alignment.source,
            "transformation": alignment.transformation.tolist(),
            "area_of_interest": alignment.region.to_corners(),
            "_alignment": {"source": {"keypoints": _detections_of(alignment), "_detection_used": 0}},
        }
        for item, alignment in sorted(alignments.items())
    }
    atomic.write_json(folder.alignment_json, entries)


def _detections_of(alignment: Alignment) -> list[Any]:
    return [alignment.keypoints.tolist()] if len(alignment.keypoints) else []


def _item_of(name: Any, path: Path) -> ItemId:
    try:
        return PictureName.parse(str(name)).item
    except InputError as error:
        raise FormatError(str(name), "a five-part name", "something else", file=path) from error


def _alignment(entry: Any, name: str, path: Path) -> Alignment:
    if not isinstance(entry, dict):
        raise FormatError(name, "an object", type(entry).__name__, file=path)
    for key in ("transformation", "area_of_interest"):
        if key not in entry:
            raise FormatError(name, f"the key {key}", f"only {sorted(map(str, entry))}", file=path)
    try:
        matrix = np.asarray(entry["transformation"], np.float64)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{name}.transformation", "numbers", str(error), file=path) from error
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise FormatError(f"{name}.transformation", "a finite 3 × 3 matrix", f"shape {matrix.shape}", file=path)
    try:
        region = Region.from_corners(entry["area_of_interest"], f"{name}.area_of_interest")
    except FormatError as error:
        raise error.in_file(path) from error
    return Alignment(str(entry.get("source", "")), matrix, region, _used_keypoints(entry, name, path))


def _used_keypoints(entry: dict[str, Any], name: str, path: Path) -> NDArray[np.float64]:
    """Landmarks of the detection that was used; (0, 3) where the file has none."""
    place = f"{name}._alignment.source"
    source = entry
    for key in ("_alignment", "source"):
        inner = source.get(key, {})
        if not isinstance(inner, dict):
            raise FormatError(place, "an object", type(inner).__name__, file=path)
        source = inner
    try:
        keypoints = np.asarray(source.get("keypoints", []), np.float64)
        if keypoints.size == 0:
            return np.zeros((0, 3))
        return keypoints.reshape(-1, LANDMARKS, 3)[int(source.get("_detection_used", 0))]
    except (TypeError, ValueError, IndexError) as error:
        raise FormatError(place, "keypoints (n, 28, 3) and the one that was used", str(error), file=path) from error


def _read_pickle(path: Path) -> dict[str, Any]:
    try:
        value = restricted_pickle.loads(path.read_bytes(), restricted_pickle.NUMPY_ENTRIES)
    except FileNotFoundError as error:
        raise InputError(f"Expected the file {path}, found none.") from error
    except FormatError as error:
        raise error.in_file(path) from error
    if not isinstance(value, dict):
        raise FormatError("", "a mapping", type(value).__name__, file=path)
    return {str(key): entry for key, entry in value.items()}
