"""Licences are shown once and accepted once; the user's cache remembers which, by the digest of what was shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from _databacks.manifest import Licence, ManifestFile
from _exchange.atomic import write_json
from _exchange.errors import FormatError, InputError
from _exchange.run_record import read_json_object

FILE_NAME = "accepted.json"
Ask = Callable[[str], bool]
"""Puts a question to a person; True when the answer is yes."""


def licence_text(file: ManifestFile) -> str:
    """What is shown: name and address of the licence of the project that publishes the file, and one sentence."""
    licence = file.licence
    return f"{file.file_name} comes from a project under {licence.name} ({licence.address}). {licence.sentence}"


def show(text: str) -> None:
    """Write a line for people, beside the results on stdout."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def terminal_question() -> Ask | None:
    """How to ask a person at this terminal; None where there is no terminal."""
    return _ask_on_terminal if sys.stdin.isatty() and sys.stderr.isatty() else None


def require_acceptance(file: ManifestFile, folder: Path, *, accepted: bool, ask: Ask | None) -> None:
    """Show the licence of a file and see that it is accepted; at once where it has been accepted before.

    Args:
        file: what is to be downloaded; a file that is fetched on first need is shown and not asked about.
        folder: of the user's ``accepted.json``.
        accepted: whether the command line accepts it.
        ask: see `terminal_question`.

    Raises:
        InputError: it is not accepted.
        FormatError: ``accepted.json`` is damaged.
    """
    if file.on_first_need:
        show(licence_text(file))
        return
    memory = folder / FILE_NAME
    known = accepted_licences(memory)
    if file.licence.digest in known:
        return
    show(licence_text(file))
    if not accepted and ask is None:
        raise InputError(
            f"Expected the licence {file.licence.name} of {file.name} to be accepted, found no terminal to ask at.",
            next_step=f"Read {file.licence.address}, then run {file.command} --accept",
        )
    if not accepted and ask is not None and not ask(f"Accept {file.licence.name}? Type yes: "):
        raise InputError(f"The licence of {file.name} was not accepted; nothing was downloaded.")
    _remember(memory, known, file.licence)


def accepted_licences(memory: Path) -> dict[str, str]:
    """Accepted licences: name and address by digest; none where there is no such file.

    Raises:
        InputError, FormatError: the file cannot be read or is damaged.
    """
    if not memory.exists():
        return {}
    known = read_json_object(memory)
    if not all(isinstance(value, str) for value in known.values()):
        raise FormatError("", "texts by digest", "something else", file=memory)
    return known


def _remember(memory: Path, known: dict[str, str], licence: Licence) -> None:
    try:
        write_json(memory, {**known, licence.digest: f"{licence.name} {licence.address}"})
    except OSError as error:  # a read-only home: accepted, but it will be asked again
        show(f"{memory} cannot be written ({error.strerror}): the licence is accepted for this time only.")


def _ask_on_terminal(question: str) -> bool:
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("yes", "y")
