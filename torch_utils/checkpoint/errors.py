"""The one error of checkpoint files."""

from __future__ import annotations

from pathlib import Path

from _exchange.errors import FormatError

_LONGEST = 300


class CheckpointError(FormatError):
    """A checkpoint is damaged, hostile, or not of a kind that is read. Always one line, whatever the file holds."""

    def __init__(
        self, place: str, expected: str, found: str, *, file: Path | str | None = None, next_step: str = ""
    ) -> None:
        super().__init__(one_line(place), one_line(expected), one_line(found), file=file)
        self.next_step = next_step

    def in_file(self, file: Path | str) -> CheckpointError:
        """The same error with the name of its file."""
        return CheckpointError(self.place, self.expected, self.found, file=file, next_step=self.next_step)


def one_line(text: str) -> str:
    """Text that a file chose, short and with signs that a terminal could act on written as escapes."""
    shown = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    if shown.isprintable():
        return shown
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape", "backslashreplace").decode() for sign in shown
    )
