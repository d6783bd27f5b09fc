"""Servers that are busy, broken, silent or send elsewhere: how long they are asked, and what is said."""

from __future__ import annotations

import email.utils
import threading
from pathlib import Path

import pytest

from _databacks.download import download
from _databacks.http_source import content_range, redirect_is_allowed, retry_after
from _exchange.digest import sha256_of_bytes
from _exchange.errors import MissingComponent
from tests.databacks.misbehaving_server import (
    CONTENT,
    ETAG,
    HALF,
    Clock,
    Exchange,
    assert_whole,
    cut_at,
    names_in,
    ranges,
    served_file,
    serving,
    status,
)

pytestmark = pytest.mark.usefixtures("no_proxies")


# -- busy and broken servers ------------------------------------------------------------------------------------------


def test_too_many_requests_waits_as_many_seconds_as_asked(folder: Path, clock: Clock) -> None:
    with serving(status(429, Retry_After=17), ranges()) as server:
        download(served_file(server.address), folder, clock.conditions())
    assert_whole(folder)
    assert clock.pauses == [17]


def test_too_many_requests_waits_until_the_date_asked(folder: Path, clock: Clock) -> None:
    date = email.utils.formatdate(clock.seconds + 42, usegmt=True)
    with serving(status(429, Retry_After=date), ranges()) as server:
        download(served_file(server.address), folder, clock.conditions())
    assert_whole(folder)
    assert clock.pauses == [42]


@pytest.mark.parametrize("asked", [86_400, "9" * 5000])
def test_a_server_that_asks_for_too_long_a_pause_is_left_alone(folder: Path, clock: Clock, asked) -> None:
    with (
        serving(status(429, Retry_After=asked)) as server,
        pytest.raises(MissingComponent, match=r"429 .*; the server asks to come back in \d+ s"),
    ):
        download(served_file(server.address), folder, clock.conditions())
    assert clock.pauses == []
    assert len(server.requests) == 1
    assert names_in(folder) == []


def test_an_error_that_passes_is_waited_out(folder: Path, clock: Clock) -> None:
    with serving(status(500), status(502), ranges()) as server:
        download(served_file(server.address), folder, clock.conditions())
    assert_whole(folder)
    assert clock.pauses == [1, 2]


def test_an_endless_error_is_given_up_with_a_sentence(folder: Path, clock: Clock) -> None:
    with serving(status(503)) as server, pytest.raises(MissingComponent) as caught:
        download(served_file(server.address), folder, clock.conditions())
    assert "found no way to it (503 Service Unavailable)" in str(caught.value)
    assert caught.value.exit_code == 3
    assert clock.pauses == [1, 2, 4, 8, 16]
    assert names_in(folder) == []


def test_pauses_do_not_grow_for_ever(folder: Path, clock: Clock) -> None:
    with serving(status(500)) as server, pytest.raises(MissingComponent):
        download(served_file(server.address), folder, clock.conditions(tries=6, longest_pause_seconds=5.0))
    assert clock.pauses == [1, 2, 4, 5, 5]


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_refusal_is_final(folder: Path, clock: Clock, code: int) -> None:
    with serving(status(code)) as server, pytest.raises(MissingComponent, match=f"no way to it \\({code} "):
        download(served_file(server.address), folder, clock.conditions())
    assert len(server.requests) == 1
    assert names_in(folder) == []


def test_a_server_that_sends_a_little_each_time_is_given_up_too(folder: Path, clock: Clock) -> None:
    with serving(cut_at(10)) as server, pytest.raises(MissingComponent, match="60 bytes are kept"):
        download(served_file(server.address), folder, clock.conditions())
    assert len(server.requests) == 6


def test_tries_are_counted_anew_after_a_mebibyte(folder: Path, clock: Clock) -> None:
    content = bytes(range(256)) * 4096 * 9  # nine mebibytes
    with serving(cut_at(2**20, content)) as server:
        file = served_file(server.address, content)
        download(file, folder, clock.conditions(tries=2))
    assert sha256_of_bytes((folder / "numbers-1.pth").read_bytes()) == file.sha256
    assert clock.pauses == [1] * 8


def test_a_silent_server_is_a_sentence(folder: Path, clock: Clock) -> None:
    release = threading.Event()
    with serving(lambda _: release.wait(20)) as server:
        with pytest.raises(MissingComponent, match="no answer in time"):
            download(served_file(server.address), folder, clock.conditions(timeout_seconds=0.1, tries=2))
        release.set()
    assert names_in(folder) == []


def test_a_server_that_falls_silent_in_the_middle_is_asked_again(folder: Path, clock: Clock) -> None:
    release = threading.Event()

    def stall(exchange: Exchange) -> None:
        exchange.answer(200, {"Content-Length": len(CONTENT), "ETag": ETAG}, CONTENT[:HALF])
        release.wait(20)

    with serving(stall, ranges()) as server:
        download(served_file(server.address), folder, clock.conditions(timeout_seconds=0.3))
        release.set()
    assert_whole(folder)
    assert server.requests[1]["range"] == "bytes=150000-"


def test_a_server_that_speaks_no_http_is_a_sentence(folder: Path, clock: Clock) -> None:
    with (
        serving(lambda exchange: exchange.wfile.write(b"SSH-2.0-OpenSSH\r\n")) as server,
        pytest.raises(MissingComponent, match="the connection failed: SSH"),
    ):
        download(served_file(server.address), folder, clock.conditions(tries=2))
    assert names_in(folder) == []


# -- redirects --------------------------------------------------------------------------------------------------------


def test_a_redirect_is_followed_with_the_range(folder: Path, clock: Clock) -> None:
    def forward(exchange: Exchange) -> None:
        if exchange.path == "/there":
            (cut_at(HALF) if exchange.first_byte == 0 else ranges())(exchange)
        else:
            exchange.answer(302, {"Location": "/there", "Content-Length": 0})

    with serving(forward) as server:
        download(served_file(server.address), folder, clock.conditions())
    assert_whole(folder)
    assert server.paths == ["/numbers-1.pth", "/there"] * 2
    assert [request.get("range") for request in server.requests] == [None, None, "bytes=150000-", "bytes=150000-"]


@pytest.mark.parametrize(
    "target",
    ["file:///etc/hostname", "ftp://127.0.0.1/x", "http://a b/", "http://127.0.0.1:99999999/", "http://[/", ""],
)
def test_a_redirect_out_of_http_or_to_nowhere_is_not_followed(folder: Path, clock: Clock, target: str) -> None:
    with (
        serving(status(302, Location=target)) as server,
        pytest.raises(MissingComponent, match="found no way to it"),
    ):
        download(served_file(server.address), folder, clock.conditions())
    assert names_in(folder) == []


def test_redirects_in_a_circle_end(folder: Path, clock: Clock) -> None:
    with serving(status(302, Location="/numbers-1.pth")) as server, pytest.raises(MissingComponent):
        download(served_file(server.address), folder, clock.conditions())
    assert len(server.requests) < 20


def test_https_is_never_left_for_http() -> None:
    assert redirect_is_allowed("https://a.org/x", "https://b.org/y")
    assert redirect_is_allowed("http://a.org/x", "https://b.org/y")
    assert not redirect_is_allowed("https://a.org/x", "http://a.org/x")


# -- headers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "soon", "-5", "²", "Wed, 99 Foo 2020 00:00:00 GMT"])
def test_a_pause_that_says_nothing_is_none(text: str) -> None:
    assert retry_after(text, 0.0) is None


def test_a_date_in_the_past_asks_for_no_pause() -> None:
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 1e9) == 0


@pytest.mark.parametrize("text", [None, "bytes 1-", "bytes -5/10", "bytes ١-٢/٣", "bytes 1-2/3, bytes 4-5/6"])
def test_no_range_of_bytes_is_none(text: str | None) -> None:
    assert content_range(text) is None
