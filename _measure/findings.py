"""Which metric networks are at hand, for `doctor`."""

from __future__ import annotations

from typing import get_args

from _exchange.errors import SuiteError
from _exchange.findings import Finding
from _measure.weights import LpipsBackbone, lpips_file


def network_findings() -> list[Finding]:
    """One finding per LPIPS network; nothing is fetched."""
    return [_finding_of(network) for network in get_args(LpipsBackbone)]


def _finding_of(network: LpipsBackbone) -> Finding:
    what = f"LPIPS-{network}"
    try:
        file, path = lpips_file(network, may_download=False)
    except SuiteError as error:
        return Finding(what, False, False, f"{error.message} Its rows read: not run.", f"{error.next_step}.")
    return Finding(what, True, False, f"{path} ({file.licence})")
