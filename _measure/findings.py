"""Which metric networks are at hand, for `doctor`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from _exchange.errors import SuiteError
from _exchange.findings import Finding
from _measure.metrics.description import LpipsBackbone
from _measure.weights import WeightFile, clip_file, lpips_file


def network_findings() -> list[Finding]:
    """One finding per LPIPS network and one of CLIP; nothing is fetched."""
    return [*(_lpips_finding(network) for network in get_args(LpipsBackbone)), _finding_of("CLIP", clip_file)]


def _lpips_finding(network: LpipsBackbone) -> Finding:
    return _finding_of(f"LPIPS-{network}", lambda may_download: lpips_file(network, may_download=may_download))


def _finding_of(what: str, file_of: Callable[..., tuple[WeightFile, Path]]) -> Finding:
    try:
        file, path = file_of(may_download=False)
    except SuiteError as error:
        return Finding(what, False, False, f"{error.message} Its rows read: not run.", f"{error.next_step}.")
    return Finding(what, True, False, f"{path} ({file.licence})")
