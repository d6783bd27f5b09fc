"""Looking up planes. Source: spec/generator.md §5.1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.parity.generator_cases import assert_operator, operator_arrays, operator_cases
from training.planes import sample_planes


@pytest.mark.parametrize(("settings", "path"), operator_cases("plane_sampling"))
def test_plane_samples(settings: dict[str, Any], path: Path) -> None:
    arrays = operator_arrays(settings, path)
    depth, use_triplane = settings.get("triplane_depth", 1), bool(settings.get("use_triplane"))
    found = sample_planes(arrays["planes"], arrays["points"], settings.get("box_warp", 0.7), depth, use_triplane)
    assert_operator(found, arrays["features"])
