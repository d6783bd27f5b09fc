"""What the verbs take when nothing is said, below ``_data``: AnimeRecon where it is, or the embedded sample set."""

from __future__ import annotations

import time
from pathlib import Path

from _databacks.animerecon import AnimeRecon
from _databacks.dataset import Dataset, open_dataset
from _databacks.layout import DatasetLayout
from _databacks.names import ANIMERECON
from _databacks.prepare import SetInUse
from _databacks.prepare_plan import PrepareConfig
from _databacks.sample import prepare_sample

PUBLISHED_ROOT = Path("_data/lustrous")
SAMPLE_ROOT = Path("_data/sample")
SAMPLE_SOURCE = Path("_data/sample_characters")
SAMPLE_SENTENCE = (
    "This takes the embedded sample set (procedural characters): its numbers are not comparable with published ones."
)
_SECONDS_BETWEEN_LOOKS = 0.5


def current_sample() -> Dataset:
    """The sample set, whole and of this generator version: what is missing or older is written and drawn first.

    Another process that is at it now is waited for.
    """
    while True:
        try:
            prepare_sample(PrepareConfig(source=SAMPLE_SOURCE, out=SAMPLE_ROOT))
            return open_dataset(SAMPLE_ROOT)
        except SetInUse:
            time.sleep(_SECONDS_BETWEEN_LOOKS)


def animerecon_is_here() -> bool:
    """Whether AnimeRecon's list is below `PUBLISHED_ROOT`."""
    return DatasetLayout(PUBLISHED_ROOT).subset(AnimeRecon.list_name).is_file()


def animerecon() -> Dataset:
    """AnimeRecon below `PUBLISHED_ROOT`; raises as `open_dataset` does."""
    return open_dataset(PUBLISHED_ROOT, ANIMERECON)
