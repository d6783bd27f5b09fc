"""One Ray cluster for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from _exchange.ray_workers import cluster


@pytest.fixture(scope="package")
def ray_cluster() -> Iterator[None]:
    """A cluster with two cores; `results_of` finds it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        with cluster(2):
            yield
