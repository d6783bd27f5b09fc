"""Filters and resampling against SciPy's filter, by hand, and their errors. Source: spec/generator.md §3.2."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.signal import upfirdn

from _exchange.errors import InputError
from torch_utils.ops.upfirdn2d import downsample2d, filter2d, setup_filter, upfirdn2d, upsample2d

SMALL = st.integers(1, 3)


def by_scipy(x: np.ndarray, taps: np.ndarray, up: tuple, down: tuple, padding: tuple) -> np.ndarray:
    """Separable resampling of (H, W): pad in upsampled samples, filter, keep every down-th, one axis after another."""
    for axis, (factor, keep, before, after) in enumerate(
        [(up[1], down[1], padding[2], padding[3]), (up[0], down[0], padding[0], padding[1])]
    ):
        stuffed = np.repeat(x, factor, axis) * (np.arange(x.shape[axis] * factor) % factor == 0).reshape(
            (-1, 1) if axis == 0 else (1, -1)
        )
        around = [(0, 0), (0, 0)]
        around[axis] = (before, after)
        full = upfirdn(taps, np.pad(stuffed, around), axis=axis)
        valid = np.take(full, range(len(taps) - 1, full.shape[axis] - len(taps) + 1), axis)
        x = valid[::keep] if axis == 0 else valid[:, ::keep]
    return x


@settings(derandomize=True, max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(3, 6), st.integers(3, 6)),
    st.lists(st.integers(-4, 5), min_size=1, max_size=5),
    st.tuples(SMALL, SMALL),
    st.tuples(SMALL, SMALL),
    st.tuples(*[st.integers(0, 4)] * 4),
)
def test_every_factor_and_padding(size: tuple, taps: list, up: tuple, down: tuple, padding: tuple) -> None:
    assume(size[1] * up[0] + sum(padding[:2]) >= len(taps) and size[0] * up[1] + sum(padding[2:]) >= len(taps))
    x = np.random.default_rng(0).normal(size=size)
    separable = torch.tensor(taps, dtype=torch.float64)
    for f in (separable, torch.outer(separable, separable)):
        result = upfirdn2d(torch.from_numpy(x)[None, None], f, up=up, down=down, padding=padding)
        np.testing.assert_allclose(result[0, 0], by_scipy(x, np.array(taps, float), up, down, padding), atol=1e-9)


def test_filters_by_hand() -> None:
    assert torch.equal(setup_filter([1, 3]), torch.tensor([[1.0, 3.0], [3.0, 9.0]]) / 16)
    assert torch.equal(setup_filter([1, 3], separable=True), torch.tensor([0.25, 0.75]))
    assert torch.equal(
        setup_filter([1, 3], normalize=False, flip_filter=True, separable=True), torch.tensor([3.0, 1.0])
    )
    assert torch.equal(setup_filter([1.0] * 8, gain=4), torch.full((8,), 0.25))
    assert torch.equal(setup_filter(None), torch.ones(1, 1))
    assert torch.equal(setup_filter(3), torch.ones(1, 1))


def test_a_prepared_filter_is_not_the_given_one() -> None:
    taps = torch.ones(2, 2)
    setup_filter(taps, normalize=False).zero_()
    assert taps.sum() == 4


def test_orientation_by_hand() -> None:
    """One bright sample shows the filter itself; with flip_filter it is reversed on both axes."""
    x = torch.zeros(1, 1, 3, 4)
    x[0, 0, 1, 1] = 1
    taps = torch.tensor([[1.0, 2.0, 0.0], [3.0, 5.0, 7.0]])
    shown = upfirdn2d(x, taps, padding=(2, 0, 1, 0))[0, 0]
    assert torch.equal(shown[1:3, 1:4], taps)
    assert torch.equal(upfirdn2d(x, taps, flip_filter=True)[0, 0, :, :2], taps.flip([0, 1])[:, 1:])


def test_wrappers_keep_centre_and_brightness() -> None:
    f, flat = setup_filter([1, 3, 3, 1]), torch.ones(1, 2, 8, 6)
    for result, size in [(filter2d(flat, f), (8, 6)), (upsample2d(flat, f), (16, 12)), (downsample2d(flat, f), (4, 3))]:
        assert result.shape == (1, 2, *size)
        torch.testing.assert_close(result[:, :, 2:-2, 2:-2], torch.ones_like(result[:, :, 2:-2, 2:-2]))
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    expected = torch.arange(2, 14) / 2 - 0.25  # centre of sample j is at (j − ½) / 2
    torch.testing.assert_close(upsample2d(ramp, f)[0, 0, 8, 2:14], expected)


def test_zeros_are_padded_before_samples_are_cropped() -> None:
    """Four cut from the left of three samples and seven zeros: the zeros are what is left."""
    shown = upfirdn2d(torch.ones(1, 1, 3, 3), None, padding=(-4, 7, 1, -2))
    assert torch.equal(shown, torch.tensor([[[[0.0] * 6, [0.0] * 6]]]))
    assert torch.equal(upfirdn2d(torch.ones(1, 1, 3, 3), None, padding=(-2, 1, -1, -1)), torch.tensor([[[[1.0, 0.0]]]]))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_dtype_and_layout(layout: torch.memory_format, dtype: torch.dtype) -> None:
    x = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    f = setup_filter([1, 3, 3, 1])
    result = upsample2d(x.to(dtype).to(memory_format=layout), f)
    assert result.dtype == dtype
    torch.testing.assert_close(result.float(), upsample2d(x, f), atol=0.03, rtol=0.01)  # bfloat16 holds 8 bits


@pytest.mark.parametrize("taps", [[1, 3, 3, 1], [1, 2, 3, 4, 5, 3, 2, 1]])
def test_second_derivatives(taps: list) -> None:
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    f = setup_filter(taps)
    assert torch.autograd.gradcheck(lambda x: upfirdn2d(x.sin(), f, up=2, down=3, padding=4), x)
    assert torch.autograd.gradgradcheck(lambda x: upfirdn2d(x.sin(), f, up=2, down=3, padding=4), x)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (upfirdn2d, r"at least as large as the filter of 4 × 4 taps, found 3 × 3"),
        (lambda x, f: upfirdn2d(x[0], f), r"shape \(B, C, H, W\), found shape \(1, 3, 3\)"),
        (lambda x, f: upfirdn2d(x, f, up=0), r"up as one or two whole numbers of at least 1"),
        (lambda x, f: upfirdn2d(x, f, padding=(1, 2, 3)), r"padding as one or two whole numbers"),
        (lambda x, f: upfirdn2d(x, f, padding=(1.5, 0, 0, 0)), r"padding of whole numbers"),
        (lambda x, f: upfirdn2d(x, f[None]), r"one or two axes"),
        (lambda x, f: upfirdn2d(x, None, padding=-2), r"at least as large as the filter of 1 × 1 taps"),
        (lambda x, f: setup_filter(f, separable=True), r"one axis to apply separably"),
        (lambda x, f: setup_filter([1, -1]), r"do not cancel"),
        (lambda x, f: setup_filter([]), r"at least one tap"),
        (lambda x, f: setup_filter("1331"), r"a filter of numbers, found '1331'"),
        (lambda x, f: setup_filter([[1, 2], [3]]), r"a filter of numbers, found \[\[1, 2\], \[3\]\]"),
        (lambda x, f: setup_filter([1.0] * 8, gain=-1), r"gain of at least 0 .*applied twice, found -1"),
        (lambda x, f: upfirdn2d(x, f[0], padding=2, gain=-4), r"gain of at least 0 .*applied twice, found -4"),
    ],
)
def test_what_cannot_be_is_refused(call, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=sentence):
        call(torch.zeros(1, 1, 3, 3), setup_filter([1, 3, 3, 1]))
