"""Checking seals: the digest of every sealed file is computed anew, and what is not as it was is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from _databacks.layout import find_root
from _exchange.run_folder import RunFolder
from _measure.grid import one_line
from _measure.integrity.seal import SECTIONS, Seal, Section, is_made_later, later_seal, read_seal, sealed_names
from _measure.integrity.sealing import digests_of, files_below, is_there


@dataclass(frozen=True)
class SealReport:
    """What a check found. Names start with their section: ``run/items/…``, ``dataset/renders/…``.

    Attributes:
        subject: what was checked.
        results: digest over results, as the seal has it.
        checked: files with the digest of the seal.
        differ: files with another digest, in the seal's order.
        missing: files that are not there.
        extra: files below ``items/`` and ``variants/`` of which the seal knows nothing.
        unchecked: by section, how many files were not looked at, since the section is not here.
        unsealed: files elsewhere in the run that no seal knows, such as notes of one's own.
    """

    subject: str
    results: str
    checked: int = 0
    differ: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    unchecked: Mapping[str, int] = field(default_factory=dict)
    unsealed: tuple[str, ...] = ()

    @property
    def intact(self) -> bool:
        """Whether everything that was looked at is as it was sealed."""
        return not (self.differ or self.missing or self.extra)

    @property
    def first(self) -> str:
        """The first file that is not as it was sealed; empty where all are."""
        order = {f"{section}/": place for place, section in enumerate(SECTIONS)}
        wrong = [*self.differ, *self.missing, *self.extra]
        return min(wrong, key=lambda name: (order[name.partition("/")[0] + "/"], name), default="")

    @property
    def text(self) -> str:
        """For people."""
        state = "intact" if self.intact else "CHANGED"
        counts = [
            f"{len(names)} {word}"
            for names, word in ((self.differ, "different"), (self.missing, "missing"), (self.extra, "added"))
            if names
        ]
        same = f"{self.checked} files are as they were sealed"
        lines = [f"{self.subject}: {state}. {', '.join([same, *counts])}."]
        if not self.intact:
            lines.append(f"The first file that is not as it was sealed: {self.first}")
        for section, count in self.unchecked.items():
            how = " --data DATASET says where they are." if section == "dataset" else ""
            lines.append(f"Not checked: {count} files of the {section}, which are not here.{how}")
        if self.unsealed:
            lines.append(
                f"Not sealed, so that nobody can tell whether they changed: {len(self.unsealed)} files that were added "
                f"later, such as {self.unsealed[0]}"
            )
        lines.append(f"SHA-256 over all results, the same wherever the results are: {self.results}")
        return "\n".join(map(one_line, lines))

    @property
    def data(self) -> dict[str, Any]:
        """For programs."""
        lists = {name: list(getattr(self, name)) for name in ("differ", "missing", "extra", "unsealed")}
        facts = {"subject": self.subject, "results": self.results, "intact": self.intact, "first": self.first}
        return {**facts, "checked": self.checked, **lists, "unchecked": dict(self.unchecked)}


def check_seal(run: Path, *, data: Path | None = None) -> SealReport:
    """Recompute the digest of every sealed file of a run.

    Args:
        run: its folder.
        data: the dataset; default: where it was when the run was sealed. Where it is not, its files are counted as
            unchecked.

    Raises:
        InputError: the run has no seal, `data` is no dataset, or a file cannot be read.
        FormatError: a seal was changed.
    """
    folder = RunFolder(run)
    seal = read_seal(folder.seal)
    report = SealReport(str(run), seal.results)
    present = files_below(run)
    later = {name: read_seal(run / name) for name in present if later_seal(name) == name}
    names = sealed_names(seal, later)
    for section, root in section_folders(seal, run, data).items():
        if root is None:
            report = replace(report, unchecked={**report.unchecked, section: len(names[section])})
        else:
            report = checked_below(report, section, names[section], root)
    return with_unknown(report, [name for name in present if name not in names["run"]])


def with_unknown(report: SealReport, names: Sequence[str]) -> SealReport:
    """The report with files of the run's folder that no seal names: results are a fault, others are not sealed."""
    others = [name for name in names if name != "seal.json" and later_seal(name) != name]
    results = [name.startswith(("items/", "variants/")) and not is_made_later(name) for name in others]
    return replace(
        report,
        extra=(*report.extra, *(f"run/{name}" for name, is_one in zip(others, results) if is_one)),
        unsealed=(*report.unsealed, *(f"run/{name}" for name, is_one in zip(others, results) if not is_one)),
    )


def checked_below(report: SealReport, section: Section, names: Mapping[str, str], root: Path) -> SealReport:
    """The report with one section more, whose files lie below `root`."""
    there = [root / name for name in names if is_there(root / name)]
    return compared(report, section, names, digests_of(root, there))


def section_folders(seal: Seal, run: Path, data: Path | None) -> dict[Section, Path | None]:
    """Where the sections of a seal lie now; None for those that are not here. Empty sections are left out."""
    folders: dict[Section, Path | None] = {"run": run}
    for section in SECTIONS[1:]:
        known = seal.folders.get(section, "")
        there = known != "" and Path(known).is_dir()
        folders[section] = Path(known) if there else None
    if data is not None:
        folders["dataset"] = find_root(data).root
    return {section: root for section, root in folders.items() if seal.files[section]}


def compared(report: SealReport, section: Section, names: Mapping[str, str], found: Mapping[str, str]) -> SealReport:
    """The report with one section more: sealed digests beside those found."""
    right = [name for name, digest in names.items() if found.get(name) == digest]
    differ = [f"{section}/{name}" for name, digest in names.items() if name in found and found[name] != digest]
    missing = [f"{section}/{name}" for name in names if name not in found]
    return replace(
        report,
        checked=report.checked + len(right),
        differ=(*report.differ, *differ),
        missing=(*report.missing, *missing),
    )
