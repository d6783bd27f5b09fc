"""What the verbs take when nothing is said: the embedded sample set below ``_data``."""

from __future__ import annotations

from pathlib import Path

from _databacks.dataset import Dataset, open_dataset
from _databacks.prepare import PrepareConfig
from _databacks.sample import prepare_sample

SAMPLE_ROOT = Path("_data/sample")
SAMPLE_SOURCE = Path("_data/sample_characters")
SAMPLE_SENTENCE = (
    "This takes the embedded sample set (procedural characters): its numbers are not comparable with published ones."
)


def current_sample() -> Dataset:
    """The sample set, whole and of this generator version: what is missing or older is written and drawn first."""
    prepare_sample(PrepareConfig(source=SAMPLE_SOURCE, out=SAMPLE_ROOT))
    return open_dataset(SAMPLE_ROOT)
