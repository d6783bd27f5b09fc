"""How long the frames of turntable files are shown, as Pillow reads them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from _exchange.errors import InputError
from _render.turntable import turntable_bytes


def _frames(count: int) -> list[np.ndarray]:
    return [np.full((6, 6, 3), (index, 255 - index, index // 2), np.uint8) for index in range(0, 10 * count, 10)]


def _durations(content: bytes) -> list[int]:
    with Image.open(io.BytesIO(content)) as animation:
        found = []
        for index in range(animation.n_frames):
            animation.seek(index)
            animation.load()
            found.append(animation.info["duration"])
        return found


@pytest.mark.parametrize(("count", "seconds"), [(24, 4.0), (7, 1.0), (12, 2.5)])
def test_a_gif_takes_as_long_as_was_asked_although_it_counts_in_hundredths(count, seconds):
    """24 frames in 4 s are 166.7 ms each: 160 and 170 in turn, and 4 s together."""
    assert sum(_durations(turntable_bytes(_frames(count), ".gif", seconds))) == 1000 * seconds


def test_webp_frames_are_equally_long_to_the_millisecond():
    assert set(_durations(turntable_bytes(_frames(7), ".webp", 1.0))) == {143}


@pytest.mark.parametrize(("suffix", "seconds"), [(".gif", 0.04), (".webp", 0.001), (".gif", float("nan"))])
def test_frames_shorter_than_the_file_can_say_are_refused(suffix, seconds):
    """A GIF frame of 0 hundredths would be shown for as long as the viewer likes."""
    with pytest.raises(InputError, match=rf"ms in \{suffix} files, found a turn of {seconds} seconds in 6 frames"):
        turntable_bytes(_frames(6), suffix, seconds)
