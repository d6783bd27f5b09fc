"""Machines without a network, and with a proxy: one sentence, or the file."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from _databacks.download import download
from _databacks.http_source import proxy_for
from _exchange.errors import MissingComponent
from tests.databacks.misbehaving_server import (
    CONTENT,
    Clock,
    cut_at,
    names_in,
    ranges,
    served_file,
    serving,
    status,
    whole,
)

pytestmark = pytest.mark.usefixtures("no_proxies")


@pytest.fixture
def dead_address() -> str:
    """Where nobody listens."""
    with serving(whole()) as server:
        return server.address


def sentence_of(url: str, folder: Path, clock: Clock) -> str:
    """What a download that finds no way says."""
    with pytest.raises(MissingComponent) as caught:
        download(served_file(url), folder, clock.conditions())
    assert caught.value.exit_code == 3
    assert names_in(folder) == []
    return str(caught.value)


def test_a_refused_connection_is_said_at_once(dead_address: str, tmp_path: Path) -> None:
    clock = Clock()
    sentence = sentence_of(dead_address, tmp_path, clock)
    assert f"Expected to download {dead_address}/numbers-1.pth, found no way to it" in sentence
    assert "Connection refused" in sentence
    assert "Run python3 -m _scripts.download numbers where there is a network" in sentence
    assert "Put numbers-1.pth into a folder named in ANIME3D_WEIGHTS" in sentence
    assert clock.pauses == []


def test_a_name_that_nobody_knows_looks_offline(tmp_path: Path, monkeypatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    clock = Clock()
    sentence = sentence_of("https://weights.invalid", tmp_path, clock)
    assert "Temporary failure in name resolution; this machine looks offline" in sentence
    assert clock.pauses == []


def test_a_firewall_that_swallows_everything_is_waited_for_once(tmp_path: Path, monkeypatch) -> None:
    def swallow(*_: object, **__: object) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr("socket.create_connection", swallow)
    clock = Clock()
    assert "found no way to it (no answer in time)" in sentence_of("http://weights.invalid", tmp_path, clock)
    assert clock.pauses == []


def test_a_network_that_goes_away_in_the_middle_may_come_back(tmp_path: Path, monkeypatch) -> None:
    clock, real = Clock(), socket.create_connection
    calls: list[object] = []

    def second_call_fails(address: object, *rest: object, **named: object) -> socket.socket:
        calls.append(address)
        if len(calls) == 2:
            raise OSError(101, "Network is unreachable")
        return real(address, *rest, **named)

    monkeypatch.setattr("socket.create_connection", second_call_fails)
    with serving(cut_at(100_000), ranges()) as server:
        path = download(served_file(server.address), tmp_path, clock.conditions())
    assert path.read_bytes() == CONTENT
    assert clock.pauses == [1, 2]


def test_a_dead_proxy_is_named_without_its_password(dead_address: str, tmp_path: Path, monkeypatch) -> None:
    host = dead_address.removeprefix("http://")
    monkeypatch.setenv("http_proxy", f"http://me:secret@{host}")
    sentence = sentence_of("http://weights.invalid", tmp_path, Clock())
    assert f"through the proxy http://{host}, which the environment names" in sentence
    assert "secret" not in sentence


def test_a_working_proxy_is_used(tmp_path: Path, monkeypatch) -> None:
    with serving(whole()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.address)
        path = download(served_file("http://weights.invalid"), tmp_path, Clock().conditions())
    assert path.read_bytes() == CONTENT
    assert proxy.paths == ["http://weights.invalid/numbers-1.pth"]


def test_hosts_that_need_no_proxy_are_asked_directly(dead_address: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", dead_address)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(whole()) as server:
        assert proxy_for(server.address) == ""
        path = download(served_file(server.address), tmp_path, Clock().conditions())
    assert path.read_bytes() == CONTENT


def test_a_proxy_that_wants_a_password_is_named(tmp_path: Path, monkeypatch) -> None:
    with serving(status(407)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.address)
        sentence = sentence_of("http://weights.invalid", tmp_path, Clock())
    assert f"(407 Proxy Authentication Required) through the proxy {proxy.address}" in sentence


def test_a_proxy_that_makes_no_tunnel_is_named(tmp_path: Path, monkeypatch) -> None:
    with serving(whole()) as proxy:  # it knows GET only
        monkeypatch.setenv("https_proxy", proxy.address)
        sentence = sentence_of("https://weights.invalid", tmp_path, Clock())
    assert "Tunnel connection failed: 501" in sentence
    assert f"through the proxy {proxy.address}" in sentence


def test_a_server_without_encryption_is_a_sentence(tmp_path: Path) -> None:
    with serving(whole()) as server:  # answers a TLS greeting with text
        sentence = sentence_of(server.address.replace("http", "https"), tmp_path, Clock())
    assert "found no way to it (the connection failed: " in sentence
    assert "SSL" in sentence


def test_a_certificate_that_nobody_signed_is_final(tmp_path: Path, monkeypatch) -> None:
    def distrust(_: object) -> None:
        error = ssl.SSLCertVerificationError(1, "certificate verify failed")
        error.verify_message = "self-signed certificate"
        raise error

    monkeypatch.setattr("http.client.HTTPSConnection.connect", distrust)
    clock = Clock()
    assert "its certificate is not trusted: self-signed certificate" in sentence_of(
        "https://a.invalid", tmp_path, clock
    )
    assert clock.pauses == []
