"""One small run with its report for all tests, and copies for those that change something."""

from __future__ import annotations

from pathlib import Path

import pytest

from _measure.report.write import write_report
from tests.measure.report.small_run import SmallRun, copied, make_run


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    """The run and its report; not to be changed."""
    small = make_run(tmp_path_factory.mktemp("report"))
    write_report(small.run)
    return small


@pytest.fixture
def copy(reported: SmallRun, tmp_path: Path) -> SmallRun:
    """A copy to change; pictures that need no new making are kept by their digests."""
    return copied(reported, tmp_path)
