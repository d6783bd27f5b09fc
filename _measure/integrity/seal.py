"""What a seal holds, how it is written as text, and how it is read: SHA-256 of files by section and name.

`seal.json` covers what a run's scores rest on, by path:

* ``run``: every file of the run's folder: record, journals, items with their status, scores, tables, variants;
* ``predictions``: what was scored, where that lies in another folder (the original's layout, or ``measure --out``);
* ``dataset``: list, alignment, portraits, masks, true pictures and characters of the run's items;
* ``weights``: the digests of all weights that took part. They are named, not looked for.

What is made from sealed files afterwards, and can be made again, has seals of the same form beside it, so that making
it leaves `seal.json` as it is: ``verify.seal.json`` and ``report.seal.json``.

A seal ends with the digest of its own content. Whoever changes a file can write a new seal: it finds accidents and
tells which run a signature is about; that a run is somebody's, only the signature says (`_measure.integrity.pack`).

``results`` is one digest over pictures, meshes, positions, scores and tables alone. It repeats on every machine with
the same library versions. The others do not: ``status.json`` holds seconds and memory, ``journal.jsonl`` and
``measured.jsonl`` the order in which workers finished, and ``run.json`` the machine and the dataset's folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from _exchange.digest import sha256_of_value
from _exchange.errors import FormatError, InputError
from _exchange.run_folder import TABLE_FORMATS

FORMAT, VERSION = "anime3d seal", 1
Section = Literal["run", "predictions", "dataset"]
SECTIONS: tuple[Section, ...] = get_args(Section)
LARGEST_SEAL = 2**26
"""Bytes; a hundred thousand files take about ten megabytes."""
VERDICTS_SEAL, REPORT_SEAL = "verify.seal.json", "report.seal.json"
NEXT_STEP = "python3 -m _scripts.measure RUN writes a seal."


@dataclass(frozen=True)
class Seal:
    """What a seal holds.

    Attributes:
        files: by section, SHA-256 by path relative to the section's folder, ``/`` as separator.
        folders: by section, where it was when the seal was made; empty for the run itself.
        weights: SHA-256 by name.
    """

    files: Mapping[Section, Mapping[str, str]]
    folders: Mapping[Section, str] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)

    @property
    def results(self) -> str:
        """Digest over results only."""
        results: dict[str, dict[str, str]] = {}
        for section in ("run", "predictions"):
            files = self.files[section]
            foreign = section == "predictions" and "run.json" not in files  # in the original's layout: results alone
            results[section] = {name: digest for name, digest in files.items() if foreign or is_result(name)}
        return sha256_of_value(results)

    @property
    def content(self) -> dict[str, Any]:
        """JSON values, with the digest of all others at the end."""
        value = {
            "format": FORMAT,
            "version": VERSION,
            "results": self.results,
            "weights": dict(sorted(self.weights.items())),
            "folders": dict(sorted(self.folders.items())),
            "files": {section: dict(sorted(self.files[section].items())) for section in SECTIONS},
        }
        return value | {"seal": sha256_of_value(value)}

    @property
    def text(self) -> str:
        """The file's text. File names that are no Unicode text are escaped."""
        return json.dumps(self.content, indent=1) + "\n"


def is_result(name: str) -> bool:
    """Whether a file below a run's folder must repeat byte for byte.

    >>> is_result("items/a/b/mesh.glb"), is_result("items/a/b/status.json"), is_result("variants/paper/scores.jsonl")
    (True, False, True)
    """
    last = name.rpartition("/")[2]
    if name.startswith("items/"):
        return last != "status.json"
    return name.startswith("variants/") or name in ("scores.jsonl", *(f"table.{form}" for form in TABLE_FORMATS))


def later_seal(name: str) -> str | None:
    """The seal that covers a file made from sealed ones, itself included; None for all other files of a run's folder.

    >>> later_seal("verify.json"), later_seal("report/index.html"), later_seal("items/report/a/mesh.glb")
    ('verify.seal.json', 'report.seal.json', None)
    """
    *folders, last = name.split("/")
    if name.startswith("items/"):
        return None
    if "report" in folders:
        return "/".join([*folders[: folders.index("report")], REPORT_SEAL])
    own = {"verify.json": VERDICTS_SEAL, VERDICTS_SEAL: VERDICTS_SEAL, REPORT_SEAL: REPORT_SEAL}.get(last)
    return None if own is None else "/".join([*folders, own])


def is_made_later(name: str) -> bool:
    """Whether a file of a run's folder is made from sealed ones, or is the seal itself."""
    return name == "seal.json" or later_seal(name) is not None


def sealed_names(seal: Seal, later: Mapping[str, Seal]) -> dict[Section, dict[str, str]]:
    """SHA-256 by section and name, of a run's seal and of its seals of later files, which are given by their names.

    Raises:
        FormatError: a seal of later files names others.
    """
    names = {section: dict(files) for section, files in seal.files.items()}
    for seal_name, other in later.items():
        folder = seal_name.removesuffix(seal_name.rpartition("/")[2])
        for name, digest in other.files["run"].items():
            if later_seal(folder + name) != seal_name or folder + name == seal_name:
                raise FormatError(seal_name, "a seal of what was made later", f"one of {name!r:.80}")
            names["run"][folder + name] = digest
    return names


def read_seal(path: Path) -> Seal:
    """Read a seal and check the digest that it ends with.

    Raises:
        InputError: there is no such file.
        FormatError: it is no seal, or it was changed.
    """
    if not path.is_file():
        raise InputError(f"Expected the seal {path}, found none.", next_step=NEXT_STEP)
    if path.stat().st_size > LARGEST_SEAL:
        raise FormatError("", f"a seal of at most {LARGEST_SEAL} bytes", f"{path.stat().st_size}", file=path)
    try:
        return seal_of(path.read_bytes())
    except FormatError as error:
        raise error.in_file(path) from error


def seal_of(content: bytes) -> Seal:
    """The seal of a file's content.

    Raises:
        FormatError: it is no seal, or a byte of it was changed.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FormatError("", "JSON", str(error)) from error
    if not isinstance(value, dict):
        raise FormatError("", "a JSON object", type(value).__name__)
    for key, expected in (("format", FORMAT), ("version", VERSION)):
        if value.get(key) != expected:
            raise FormatError(key, repr(expected), f"{value.get(key)!r:.80}")
    files = value.get("files")
    if not isinstance(files, dict) or files.keys() != set(SECTIONS):
        raise FormatError("files", f"the sections {', '.join(SECTIONS)}", f"{files!r:.80}")
    read: dict[Section, dict[str, str]] = {section: _texts(files[section], f"files.{section}") for section in SECTIONS}
    for section in SECTIONS:
        for name in read[section]:
            if not is_plain_name(name):
                raise FormatError(f"files.{section}", "paths below the section's folder", f"{name!r:.80}")
    folders = _texts(value.get("folders"), "folders")
    seal = Seal(read, {s: folders[s] for s in SECTIONS if s in folders}, _texts(value.get("weights"), "weights"))
    if content != seal.text.encode("utf-8"):
        stated, found = f"{value.get('seal')!r:.80}", seal.content["seal"]
        expected = f"the text that a seal of this content has, with the digest {found}"
        raise FormatError("seal", expected, f"another, with {stated}")
    return seal


def is_plain_name(name: str) -> bool:
    """Whether a path stays below its folder on every system.

    >>> [is_plain_name(name) for name in ("items/a.png", "../a", "/a", "a//b", "a/./b", "", "a\\0")]
    [True, False, False, False, False, False, False]
    """
    return "\0" not in name and all(part not in ("", ".", "..") for part in name.split("/"))


def _texts(value: Any, place: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise FormatError(place, "an object of texts", f"{value!r:.80}")
    return value
