"""Fixtures of the download tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.databacks.misbehaving_server import Clock, without_proxies


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names no proxy."""
    without_proxies(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where to download to; it does not exist yet."""
    return tmp_path / "weights"


@pytest.fixture
def clock() -> Clock:
    """Pauses that take no time."""
    return Clock()
