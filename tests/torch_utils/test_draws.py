"""Random numbers with an explicit source: streams, orders of axes, recorded arrays and their errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from _exchange.errors import InputError
from torch_utils.determinism import GeneratorDraws, RecordedDraws


def test_a_seeded_stream_is_torchs_and_goes_on() -> None:
    draws, source = GeneratorDraws.seeded(3), torch.Generator().manual_seed(3)
    assert torch.equal(draws.normal("any", (2, 3)), torch.randn(2, 3, generator=source))
    assert draws.next_render() is draws
    assert torch.equal(draws.uniform("other", (4,)), torch.rand(4, generator=source))


def test_without_a_generator_torchs_own_is_taken() -> None:
    state = torch.get_rng_state()
    try:
        torch.manual_seed(7)
        expected = torch.randn(3)
        torch.manual_seed(7)
        assert torch.equal(GeneratorDraws().normal("any", (3,)), expected)
    finally:
        torch.set_rng_state(state)


def test_the_order_lists_axes_from_slowest_to_fastest() -> None:
    """Shape (2, 3, 4) filled with axis 2 slowest, then 0, then 1: memory of shape (4, 2, 3)."""
    drawn = GeneratorDraws.seeded(1).uniform("any", (2, 3, 4), order=(2, 0, 1))
    stream = torch.rand(24, generator=torch.Generator().manual_seed(1))
    for a, b, c in np.ndindex(2, 3, 4):
        assert drawn[a, b, c] == stream[c * 6 + a * 3 + b]


def test_recorded_numbers_are_found_by_render_and_name() -> None:
    arrays = {f"pass{i}/u": np.full((2, 1), i, np.float32) for i in range(3)}
    first = RecordedDraws(arrays)
    third = first.next_render().next_render()
    assert [float(draws.uniform("u", (2, 1))[0, 0]) for draws in (first, third, first)] == [0, 2, 0]


@pytest.mark.filterwarnings("error")
def test_what_is_drawn_is_a_copy_also_of_arrays_that_cannot_be_written() -> None:
    kept = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    kept.setflags(write=False)
    drawn = RecordedDraws({"pass0/u": kept}).uniform("u", (2, 3))
    assert np.array_equal(drawn.numpy(), kept)
    drawn.zero_()
    assert kept.sum() == 15


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({}, r"numbers pass1/b4\.conv1, found none"),
        ({"pass0/b4.conv1": np.zeros(1)}, r"numbers pass1/b4\.conv1, found pass0/b4\.conv1"),
        ({"pass1/b4.conv1": np.zeros((1, 4))}, r"pass1/b4\.conv1 of shape \(1, 1, 4, 4\), found \(1, 4\)"),
    ],
)
def test_what_was_not_recorded_is_named(arrays: dict, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        RecordedDraws(arrays, render=1).normal("b4.conv1", (1, 1, 4, 4))
