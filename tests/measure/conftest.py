"""Fixtures of the measuring tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from _measure import network_weights, weights
from tests.measure.small_benchmark import SmallBenchmark, make_benchmark
from tests.shared_data import require


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No weight folder, an empty cache (returned)."""
    monkeypatch.delenv(weights.FOLDERS_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "anime3d" / "weights"


@pytest.fixture
def shared_squeeze_weights(monkeypatch: pytest.MonkeyPatch, no_weights: Path) -> network_weights.NetworkWeights:
    """The complete LPIPS-squeeze network of the shared data, found through the environment variable."""
    folder = require("weights/lpips_v0.1_squeeze_full.npz").parent
    monkeypatch.setenv(weights.FOLDERS_VARIABLE, str(folder))
    return network_weights.lpips_weights("squeeze", may_download=False)


@pytest.fixture
def benchmark_run(tmp_path: Path) -> SmallBenchmark:
    """Three items, complete."""
    return make_benchmark(tmp_path)
