"""Which published weights are at hand, for `doctor`."""

from __future__ import annotations

from _exchange.errors import MissingComponent
from _exchange.findings import Finding
from _methods.panic3d_files import PUBLISHED_NAMES, WEIGHTS, find_file


def weight_findings() -> list[Finding]:
    """One finding per part of `panic3d`."""
    return [_finding_of(option) for option in PUBLISHED_NAMES]


def _finding_of(option: str) -> Finding:
    what = f"panic3d {option.replace('_', ' ')}"
    try:
        return Finding(what, True, False, str(find_file(option, "")))
    except MissingComponent as error:
        return Finding(what, False, False, f"not below {WEIGHTS}", error.next_step)
