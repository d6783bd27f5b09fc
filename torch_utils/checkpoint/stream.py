"""A place in a file that lies in memory, read without copying what is long."""

from __future__ import annotations

_VIEW_FROM = 4096
"""Pieces of at least so many bytes are given as views, not copied."""
_LINE_PIECE = 256


class Cursor:
    """The stream that the pickle machine reads: pieces of `data` from `position` to `end`."""

    def __init__(self, data: memoryview, position: int = 0, end: int | None = None) -> None:
        self.data = data
        self.position = position
        self.end = len(data) if end is None else min(end, len(data))

    def read(self, size: int, /) -> bytes | memoryview:
        """At most `size` bytes."""
        stop = min(self.position + size, self.end)
        piece = self.data[self.position : stop]
        self.position = stop
        return piece if size >= _VIEW_FROM else bytes(piece)

    def readline(self) -> bytes:
        """To the next line feed, or to the end."""
        size = _LINE_PIECE
        while True:
            stop = min(self.position + size, self.end)
            line = bytes(self.data[self.position : stop])
            length = line.find(b"\n") + 1
            if length or stop == self.end:
                line = line[:length] if length else line
                self.position += len(line)
                return line
            size *= 2

    def tell(self) -> int:
        """Bytes before the place."""
        return self.position
