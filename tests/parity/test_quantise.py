"""Bytes, floats and white: spec/measure.md §4.1 against the recorded numbers."""

from __future__ import annotations

import numpy as np
import pytest

from _exchange import pictures
from tests.parity.fixtures import arrays_of, measure_files


@pytest.mark.parametrize("path", measure_files("quantise*.npz"))
def test_white_composite_table_is_exact(path):
    table = arrays_of(path)["white_composite_lut"]
    alpha, value = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8), indexing="ij")
    ours = pictures.composite_on_white(np.stack([value, value, value, alpha], axis=-1))
    for channel in range(3):
        assert (ours[..., channel] == table).all()


@pytest.mark.parametrize("path", measure_files("quantise*.npz"))
@pytest.mark.parametrize("converted", ["uint8_from_torch", "uint8_from_numpy"])
def test_float_to_byte_is_exact(path, converted):
    recorded = arrays_of(path)
    assert (pictures.bytes_from_unit(recorded["floats"]) == recorded[converted]).all()


@pytest.mark.parametrize("path", measure_files("quantise*.npz"))
def test_byte_round_trip_is_exact(path):
    recorded = arrays_of(path)["uint8_numpy_roundtrip"]
    assert (pictures.bytes_from_unit(np.arange(256) / 255.0) == recorded).all()
