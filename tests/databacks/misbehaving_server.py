"""A small server on this machine that answers in every way that servers should not, and a file for it to serve."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from _databacks.download import Conditions
from _databacks.manifest import Licence, ManifestFile
from _exchange.digest import sha256_of_bytes

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
LICENCE = Licence("BSD-3-Clause", "https://example.org/licence", "Keep the notice.")
CONTENT = b"".join(number.to_bytes(4, "big") for number in range(75_000))
"""300,000 bytes, no two places alike."""
HALF = len(CONTENT) // 2
PARTIAL = f".partial-{sha256_of_bytes(CONTENT)[:16]}"
"""What the first bytes of it are called."""
ETAG = '"version-1"'


class Exchange(BaseHTTPRequestHandler):
    """One request; behaviours call its methods."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append({name.lower(): value for name, value in self.headers.items()})
        self.server.paths.append(self.path)
        self.close_connection = True
        with self.server.lock:
            behaviours = self.server.behaviours
            behaviour = behaviours.pop(0) if len(behaviours) > 1 else behaviours[0]
        with suppress(ConnectionError):  # the client has gone: that is what some behaviours are made for
            behaviour(self)

    def answer(self, status: int, headers: dict[str, object], body: bytes = b"") -> None:
        """Status line, headers as given (nothing is added but the server's own), body."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    @property
    def first_byte(self) -> int:
        """Where the range asked for begins; 0 without one."""
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))

    def log_message(self, *_: object) -> None:
        """No lines on stderr."""


Behaviour = Callable[[Exchange], None]


class Server(ThreadingHTTPServer):
    """Takes behaviours from a list, one a request; the last one stays."""

    daemon_threads = True

    def __init__(self, behaviours: list[Behaviour]) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.behaviours = behaviours
        self.requests: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving(*behaviours: Behaviour) -> Iterator[Server]:
    """A server that behaves so, while the block runs."""
    with Server(list(behaviours)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


# -- behaviours -----------------------------------------------------------------------------------------------------


def whole(content: bytes = CONTENT, etag: str = ETAG) -> Behaviour:
    """The file, ranges or not."""
    return lambda exchange: exchange.answer(200, {"Content-Length": len(content), "ETag": etag}, content)


def ranges(content: bytes = CONTENT, etag: str = ETAG, stop_after: int | None = None) -> Behaviour:
    """The file as RFC 9110 asks for it; the connection is closed after `stop_after` bytes of the body."""

    def behave(exchange: Exchange) -> None:
        first = exchange.first_byte
        if exchange.headers.get("If-Range", etag) != etag:
            first = 0
        if first >= len(content):
            exchange.answer(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": 0})
            return
        headers: dict[str, object] = {"Content-Length": len(content) - first, "ETag": etag}
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        exchange.answer(206 if first else 200, headers, content[first:][:stop_after])

    return behave


def status(code: int, **headers: object) -> Behaviour:
    """A bare status; underscores in header names stand for minus signs."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda exchange: exchange.answer(code, {"Content-Length": 0, **named})


def cut_at(count: int, content: bytes = CONTENT) -> Behaviour:
    """Announces everything and sends `count` bytes of it."""
    return ranges(content, stop_after=count)


# -- the other side -------------------------------------------------------------------------------------------------


@dataclass
class Clock:
    """Pauses that take no time and are remembered."""

    seconds: float = 1_000_000_000.0
    pauses: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds

    def conditions(self, **changes) -> Conditions:
        return Conditions(**{"timeout_seconds": 5.0, "sleep": self.sleep, "now": lambda: self.seconds, **changes})


def served_file(server: str, content: bytes = CONTENT, **changes) -> ManifestFile:
    """An entry for this content at a server's address."""
    entry = {
        "name": "numbers",
        "what": "numbers in a row",
        "file_name": "numbers-1.pth",
        "sha256": sha256_of_bytes(content),
        "size": len(content),
        "size_is_exact": True,
        "url": f"{server}/numbers-1.pth",
        "by_hand": "",
        "in_package": "",
        "licence": LICENCE,
        "on_first_need": False,
    }
    return ManifestFile(**{**entry, **changes})


def names_in(folder: Path) -> list[str]:
    """Everything in a folder, hidden or not."""
    return sorted(path.name for path in folder.iterdir())


def assert_whole(folder: Path) -> None:
    """The file of `served_file` under its name, and nothing beside it."""
    assert names_in(folder) == ["numbers-1.pth"]
    assert (folder / "numbers-1.pth").read_bytes() == CONTENT


def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names no proxy."""
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
