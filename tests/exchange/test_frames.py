"""The page of frames: numbers by hand."""

from __future__ import annotations

import numpy as np

from _exchange import frames


def test_a_vrm_characters_nose_and_left_hand_by_hand() -> None:
    # model frame: the head bone at 1.4 m, the nose 8 cm in front of it (−z), the left hand at −x
    loc_origin = np.array([0.0, 1.4, 0.0]) + frames.HEAD_OFFSET
    points_model = np.array([[0.0, 1.5, -0.08], [-0.3, 1.5, 0.0]])
    head_model = frames.head_model_from_model(points_model, loc_origin)
    head_world = frames.head_world_from_head_model(head_model)
    np.testing.assert_allclose(head_world, [[0.0, 0.0, 0.08], [0.3, 0.0, 0.0]], atol=1e-12)


def test_the_turn_is_its_own_inverse_and_keeps_the_dtype() -> None:
    points = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    there = frames.head_world_from_head_model(points)
    assert there.dtype == np.float32
    np.testing.assert_array_equal(frames.head_model_from_head_world(there), points)
    assert np.linalg.det(np.diag(frames.head_world_from_head_model(np.ones(3)))) == 1.0


def test_the_originals_meshes_are_mirrored_in_x_only() -> None:
    np.testing.assert_array_equal(frames.head_world_from_original_mesh(np.array([[1.0, 2.0, 3.0]])), [[-1.0, 2.0, 3.0]])
