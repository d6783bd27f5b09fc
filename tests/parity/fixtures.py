"""Where parity fixtures lie, and how tests discover and read them: by folder and pattern, never by a list of names."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
IS_OTHER_ROOT = "PARITY_ROOT" in os.environ
ROOT = Path(os.environ.get("PARITY_ROOT", REPOSITORY.parent / "shared" / "parity"))


def discover(pattern: str) -> list:
    """Pytest parameters for all files or folders below the root that match; one skipped parameter where none does."""
    found = sorted(ROOT.glob(pattern))
    if found:
        return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in found]
    reason = f"no parity fixture {pattern} below PARITY_ROOT" if ROOT.is_dir() else "PARITY_ROOT is absent"
    return [pytest.param(None, id=pattern, marks=pytest.mark.skip(reason=f"{reason} ({ROOT.name}/)"))]


def measure_files(pattern: str) -> list:
    """`discover` in the folder `measure`, e.g. ``measure_files("psnr*.npz")``."""
    return discover(f"measure/{pattern}")


class Recorded(Mapping[str, Any]):
    """Arrays or JSON entries of one fixture. Asking for an absent one skips the test with the names of both."""

    def __init__(self, name: str, content: Mapping[str, Any]) -> None:
        self.name = name
        self.content = content

    def __getitem__(self, key: str) -> Any:
        if key not in self.content:
            pytest.skip(f"{self.name} has no {key}")
        return self.content[key]

    def __contains__(self, key: object) -> bool:
        return key in self.content

    def __iter__(self) -> Iterator[str]:
        return iter(self.content)

    def __len__(self) -> int:
        return len(self.content)

    def inside(self, key: str) -> Recorded:
        """The entries of an entry."""
        return Recorded(f"{self.name}: {key}", self[key])

    def matching(self, pattern: str) -> list[str]:
        """The keys that match as a whole; skips the test where none does."""
        found = [key for key in self if re.fullmatch(pattern, key)]
        if not found:
            pytest.skip(f"{self.name} has no {pattern}")
        return found

    def numbers(self, pattern: str) -> list[int]:
        """The first numbers in the keys that match as a whole, ascending; skips the test where none does."""
        return sorted({int(re.findall(r"\d+", key)[0]) for key in self.matching(pattern)})


def arrays_of(path: Path) -> Recorded:
    """The arrays of an .npz."""
    return Recorded(path.name, np.load(needed(path), allow_pickle=False))


def entries_of(path: Path) -> Recorded:
    """The entries of a .json."""
    return Recorded(path.name, json.loads(needed(path).read_text(encoding="utf-8")))


def needed(path: Path) -> Path:
    """The path of a file that belongs to a fixture; skips the test where it is absent."""
    if not path.exists():
        pytest.skip(f"{path.parent.name}/{path.name} is absent")
    return path


@contextmanager
def whatever_is_there() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """For a test of several parts: what one part lacks skips no other part, and is reported after the last.

    ::

        with whatever_is_there() as part:
            for name in names:
                with part():
                    assert ours[name] == fixture[name]
    """
    lacking: list[str] = []

    @contextmanager
    def part() -> Iterator[None]:
        try:
            yield
        except pytest.skip.Exception as skipped:
            lacking.append(str(skipped.msg))

    yield part
    if lacking:
        pytest.skip("; ".join(dict.fromkeys(lacking)))
