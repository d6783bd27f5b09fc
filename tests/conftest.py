"""Numbers that tests count and do not judge, such as voxels on a limit, are printed at the end of every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

_COUNTED = "counted"


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Print a line in the summary, whether the test passes or not."""
    return lambda line: record_property(_COUNTED, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = [
        f"{result.nodeid.split('::', 1)[-1]}: {value}"
        for results in terminalreporter.stats.values()
        for result in results
        if isinstance(result, pytest.TestReport) and result.when == "call"
        for name, value in result.user_properties
        if name == _COUNTED
    ]
    if lines:
        terminalreporter.section("counted, not judged")
        for line in sorted(lines):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests, and the processes that they start, neither read nor fill the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
