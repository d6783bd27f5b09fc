"""Line maps and protected parts of faces against recordings: spec/linefill.md §2, §3; parity/linefill/README.md."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from _exchange.pictures import unit_from_bytes
from tests.parity.fixtures import discover
from training.face_hull import face_hull
from training.line_map import LineParameters, difference_of_gaussians, dilated, line_map, signed_difference

DRAWINGS = discover("linefill/dog*.npz")
FACES = discover("linefill/facehull*.npz")


FIELDS = {"t": "strength", "sigma": "sigma", "k": "ratio", "epsilon": "offset", "kernel_factor": "window_factor"}


def recorded_by(path, pattern):
    """(match, array) of every array of a file whose name fits."""
    arrays = np.load(path, allow_pickle=False)
    matches = [(re.fullmatch(pattern, name), name) for name in arrays]
    return [(match, arrays[name]) for match, name in matches if match]


def drawings_of(path):
    return {match[1]: unit_from_bytes(array) for match, array in recorded_by(path, r"(img\d+)")}


def parameters_of(path):
    sets = json.loads(str(np.load(path, allow_pickle=False)["params_json"]))
    return [LineParameters(**{FIELDS[name]: value for name, value in given.items()}) for given in sets]


@pytest.mark.parametrize("path", DRAWINGS)
def test_difference_of_gaussians(path):
    drawings, parameters = drawings_of(path), parameters_of(path)
    for match, recorded in recorded_by(path, r"(img\d+)/dog(\d+)(_noclip)?"):
        response = signed_difference if match[3] else difference_of_gaussians
        ours = response(drawings[match[1]], parameters[int(match[2])])
        np.testing.assert_allclose(ours, recorded, rtol=0, atol=5e-6, err_msg=match[0])


@pytest.mark.parametrize("path", DRAWINGS)
def test_masks(path):
    drawings = drawings_of(path)
    filling = parameters_of(path)[0]
    for match, recorded in recorded_by(path, r"(img\d+)/mask"):
        np.testing.assert_array_equal(line_map(drawings[match[1]], filling), recorded)
    for match, recorded in recorded_by(path, r"(img\d+)/mask_dilated(\d+)"):
        ours = dilated(line_map(drawings[match[1]], filling), int(match[2]))
        np.testing.assert_array_equal(ours, recorded, err_msg=match[0])


@pytest.mark.parametrize("path", DRAWINGS)
def test_the_first_parameters_are_those_of_line_filling(path):
    drawings, filling = drawings_of(path), parameters_of(path)[0]
    for drawing in drawings.values():
        np.testing.assert_array_equal(difference_of_gaussians(drawing), difference_of_gaussians(drawing, filling))


@pytest.mark.parametrize("path", DRAWINGS)
def test_distance_to_the_threshold(path):
    drawings = drawings_of(path)
    for match, margin in recorded_by(path, r"(img\d+)/margin"):
        ours = np.abs(difference_of_gaussians(drawings[match[1]], parameters_of(path)[0]) - 0.5).min()
        assert abs(ours - margin) <= 5e-6


@pytest.mark.parametrize("path", FACES)
def test_face_hulls(path):
    arrays = np.load(path, allow_pickle=False)
    for match, recorded in recorded_by(path, r"(case\d+)/hull_dilate(\d+)"):
        height, width = arrays[f"{match[1]}/size"]
        ours = face_hull(arrays[f"{match[1]}/keypoints"], int(height), int(width), int(match[2]))
        np.testing.assert_array_equal(ours, recorded, err_msg=match[0])
