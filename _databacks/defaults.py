"""What the verbs take when nothing is said: the embedded sample set below ``_data``."""

from __future__ import annotations

from pathlib import Path

from _databacks.dataset import Dataset, open_dataset
from _databacks.prepare import PrepareConfig
from _databacks.sample import prepare_sample
from _exchange.errors import InputError

SAMPLE_ROOT = Path("_data/sample")
SAMPLE_SOURCE = Path("_data/sample_characters")
SAMPLE_SENTENCE = (
    "This takes the embedded sample set (procedural characters): its numbers are not comparable with published ones."
)


def open_or_prepare_sample() -> Dataset:
    """The sample set, prepared first where it is not there yet."""
    try:
        return open_dataset(SAMPLE_ROOT)
    except InputError:
        prepare_sample(PrepareConfig(source=SAMPLE_SOURCE, out=SAMPLE_ROOT))
        return open_dataset(SAMPLE_ROOT)
