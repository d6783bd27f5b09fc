"""What a metric is, as data: its id in score files, unit, direction, range and table scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

LpipsBackbone = Literal["alex", "vgg", "squeeze"]
ClipPrecision = Literal["device", "float32"]
"""CLIP's arithmetic: ``device`` is half precision on a GPU, as the published evaluation ran; otherwise float32."""
ClipNumbers = Literal["float16", "float32"]


@dataclass(frozen=True)
class Metric:
    """Description of one metric.

    Attributes:
        id: name in `scores.jsonl`.
        label: name in tables.
        unit: of the raw value; empty for a pure number.
        better: which direction is an improvement.
        lowest, highest: the range of raw values.
        table_scale: tables show the raw value times this.
    """

    id: str
    label: str
    unit: str
    better: Literal["higher", "lower"]
    lowest: float
    highest: float
    table_scale: float = 100.0


def clip_numbers(precision: ClipPrecision, device_class: str) -> ClipNumbers:
    """The numbers that CLIP computes with on a class of devices, ``cpu`` or ``cuda``. Source: spec/measure.md §5.1.

    >>> clip_numbers("device", "cuda"), clip_numbers("device", "cpu"), clip_numbers("float32", "cuda")
    ('float16', 'float32', 'float32')
    """
    return "float16" if precision == "device" and device_class == "cuda" else "float32"


def lpips_metric(backbone: LpipsBackbone) -> Metric:
    """LPIPS through a network, which its id and label name. It stands here because its own file loads torch.

    >>> lpips_metric("squeeze").id
    'lpips_squeeze'
    """
    return Metric(f"lpips_{backbone}", f"lpips-{backbone}", "", "lower", 0.0, math.inf)
