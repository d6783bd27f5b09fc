"""What a machine has and lacks: the sentences that `doctor` prints, gathered from the rooms that know."""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from _exchange.ray_workers import INSTALLATION
from _exchange.workers import available_cores

OLDEST_PYTHON = (3, 11)
_PACKAGES = {
    "numpy": "arrays",
    "scipy": "statistics and filters",
    "PIL": "pictures",
    "igl": "distances to surfaces",
    "skimage": "marching cubes",
    "numba": "the CPU rasteriser",
    "torch": "networks",
    "torchmetrics": "LPIPS heads",
    "moderngl": "the OpenGL rasteriser",
    "trimesh": "the 3D viewer of report pages",
    "jinja2": "report pages",
    "tyro": "command lines",
    "rich": "progress bars",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is there or not.

    Attributes:
        what: a few words.
        present: whether it is there.
        needed: whether the main job stops without it.
        sentence: what was found, or what is lost without it.
        fix: the command or step that brings it; empty where there is nothing to do.
    """

    what: str
    present: bool
    needed: bool
    sentence: str
    fix: str = ""


def machine_findings() -> list[Finding]:
    """Interpreter, packages, cores, memory, disk and GPU driver, without importing any of the packages."""
    version = platform.python_version()
    findings = [
        Finding(
            "Python",
            sys.version_info[:2] >= OLDEST_PYTHON,
            True,
            f"{version} on {platform.platform()}",
            "Install Python 3.11 or newer and set PYTHON to it.",
        )
    ]
    absent = [f"{name} ({use})" for name, use in _PACKAGES.items() if util.find_spec(name) is None]
    sentence = f"missing: {', '.join(absent)}" if absent else f"all {len(_PACKAGES)} packages of _env/requirements.txt"
    findings.append(Finding("packages", not absent, True, sentence, "Run make/setup."))
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    findings.append(Finding("processor", True, True, f"{available_cores()} cores for this process"))
    findings.append(
        Finding("disk", free > 1, True, f"{free:.0f} GiB free here", "Free at least 1 GiB, or work in another folder.")
    )
    return [*findings, _ray(), _gpu()]


def _ray() -> Finding:
    """What the executor ``ray`` takes."""
    try:
        return Finding("Ray", True, False, f"{metadata.version('ray')}, for --executor ray")
    except metadata.PackageNotFoundError:
        sentence = "not installed: --executor ray cannot run; --executor local and --shard need nothing"
        return Finding("Ray", False, False, sentence, f"Run {INSTALLATION}.")


def _gpu() -> Finding:
    driver = Path("/proc/driver/nvidia/version")
    try:
        build = metadata.version("torch")
    except metadata.PackageNotFoundError:
        build = "absent"
    if not driver.exists():
        return Finding("GPU", False, False, f"no NVIDIA driver: everything runs on the CPU (torch {build})")
    if "+cpu" in build:
        return Finding("GPU", False, False, f"an NVIDIA driver, but torch {build} cannot use it", "Run make/setup.")
    return Finding("GPU", True, False, f"an NVIDIA driver and torch {build}")


def findings_text(findings: list[Finding]) -> str:
    """One line each, and an indented line with the fix where something is missing."""
    width = max(len(finding.what) for finding in findings)
    lines = []
    for finding in findings:
        state = "ok     " if finding.present else ("MISSING" if finding.needed else "absent ")
        lines.append(f"{state}  {finding.what:<{width}}  {finding.sentence}")
        if not finding.present and finding.fix:
            lines.append(f"{'':9}{'':{width}}  {finding.fix}")
    return "\n".join(lines)
