"""Checking seals: the digest of every sealed file is computed anew, and what is not as it was is named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from _databacks.layout import find_root
from _exchange.atomic import read_lines
from _exchange.errors import FormatError
from _exchange.journal import last_entries
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
        not_generated: files below ``items/`` that were sealed with another digest than `generate` wrote down, or were
            gone by then.
    """

    subject: str
    results: str
    checked: int = 0
    differ: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    unchecked: Mapping[str, int] = field(default_factory=dict)
    unsealed: tuple[str, ...] = ()
    not_generated: tuple[str, ...] = ()

    @property
    def intact(self) -> bool:
        """Whether everything that was looked at is as it was sealed, and was sealed as it was generated."""
        return not (self.differ or self.missing or self.extra or self.not_generated)

    @property
    def first(self) -> str:
        """The first file that is not as it was sealed, else that is not what `generate` wrote; empty where all are."""
        order = {f"{section}/": place for place, section in enumerate(SECTIONS)}
        wrong = [*self.differ, *self.missing, *self.extra] or self.not_generated
        return min(wrong, key=lambda name: (order[name.partition("/")[0] + "/"], name), default="")

    @property
    def text(self) -> str:
        """For people."""
        state = "intact" if self.intact else "CHANGED"
        counts = [
            f"{len(names)} {word}"
            for names, word in (
                (self.differ, "different"),
                (self.missing, "missing"),
                (self.extra, "added"),
                (self.not_generated, "not what generate wrote"),
            )
            if names
        ]
        same = f"{self.checked} files are as they were sealed"
        lines = [f"{self.subject}: {state}. {', '.join([same, *counts])}."]
        if self.differ or self.missing or self.extra:
            lines.append(f"The first file that is not as it was sealed: {self.first}")
        if self.not_generated:
            lines.append(
                f"The first file that is not what generate wrote, by the run's journal: {self.not_generated[0]}"
            )
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
        kinds = ("differ", "missing", "extra", "unsealed", "not_generated")
        lists = {name: list(getattr(self, name)) for name in kinds}
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
            report = beside_journal(report, section, seal, read_lines(RunFolder(root).journal))
    return with_unknown(report, [name for name in present if name not in names["run"]])


def unsealed_scores(run: RunFolder, scores: Mapping[str, str]) -> str:
    """The first file of scores whose digest is not the one in the run's seal; empty where all are, or without a seal.

    Args:
        run: its folder.
        scores: SHA-256 by path below that folder.
    """
    if not run.seal.is_file():
        return ""
    try:
        sealed = read_seal(run.seal).files["run"]
    except FormatError:  # a damaged seal proves nothing
        sealed = {}
    return next((name for name, digest in scores.items() if sealed.get(name) != digest), "")


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


def beside_journal(report: SealReport, section: Section, seal: Seal, lines: Iterable[str]) -> SealReport:
    """The report with sealed digests of ``items/`` held against the journal that `generate` left.

    Items that failed are left out, and so is whatever no line names.
    """
    sealed = seal.files[section]
    made = [entry.files for entry in last_entries(lines).values() if entry.status == "ok"]
    expected = {name: digest for files in made for name, digest in files.items() if name.startswith("items/")}
    others = sorted(name for name, digest in expected.items() if sealed.get(name) != digest)
    return replace(report, not_generated=(*report.not_generated, *(f"{section}/{name}" for name in others)))


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
