"""The tree of errors that a user can meet. Each is one sentence, an exit code and, where there is one, a next step.

    SuiteError               exit 2
    ├── InputError           exit 2   a file, folder or argument is not what it should be
    │   └── FormatError      exit 2   the same inside a file: the place, what was expected, what was found
    ├── MissingComponent     exit 3   something has to be installed, downloaded or prepared first
    └── CheckFailed          exit 1   everything ran, and a check did not hold

`command.main` turns them into one line on stderr; nothing else in the suite formats them.
"""

from __future__ import annotations

from pathlib import Path


class SuiteError(Exception):
    """Root of the tree.

    Args:
        message: one sentence that says what was expected and what was found.
        next_step: what to do now: a command or an instruction; empty when the message says it already.
    """

    exit_code = 2

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".rstrip()

    def __reduce__(self):  # type: ignore[no-untyped-def]
        return (_rebuild, (type(self), self.__dict__))


def _rebuild(kind: type[SuiteError], state: dict[str, object]) -> SuiteError:
    """Undo `SuiteError.__reduce__`, so that worker processes can hand errors to their parent."""
    error = kind.__new__(kind)
    Exception.__init__(error, state["message"])
    error.__dict__.update(state)
    return error


class InputError(SuiteError):
    """A file, folder or argument is not what it should be."""


class FormatError(InputError):
    """Something inside a file is wrong.

    Args:
        place: where, e.g. ``meshes[0].primitives[2].attributes.POSITION``; empty for the file as a whole.
        expected: what should stand there.
        found: what stands there.
        file: the file; usually added by whoever opened it, with `in_file`.
    """

    def __init__(self, place: str, expected: str, found: str, *, file: Path | str | None = None) -> None:
        self.place, self.expected, self.found = place, expected, found
        self.file = None if file is None else Path(file)
        where = f"{place}: " if place else ""
        prefix = "" if self.file is None else f"{self.file.name}: "
        super().__init__(f"{prefix}{where}expected {expected}, found {found}.")

    def in_file(self, file: Path | str) -> FormatError:
        """The same error with the name of its file."""
        return FormatError(self.place, self.expected, self.found, file=file)


class MissingComponent(SuiteError):
    """Something has to be installed, downloaded or prepared first; `next_step` is the command that brings it."""

    exit_code = 3


class CheckFailed(SuiteError):
    """Everything ran, and a check did not hold."""

    exit_code = 1
