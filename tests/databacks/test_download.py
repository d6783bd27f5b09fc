"""Downloads from a server that misbehaves: what is kept, what is refused, and what is said."""

from __future__ import annotations

import email.utils
import errno
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _databacks.download import download
from _databacks.http_source import content_range, redirect_is_allowed, retry_after
from _databacks.partial_file import PartialFile
from _exchange.digest import sha256_of_bytes
from _exchange.errors import InputError, MissingComponent
from tests.databacks.misbehaving_server import (
    CONTENT,
    ETAG,
    Clock,
    Exchange,
    cut_at,
    names_in,
    ranges,
    served_file,
    serving,
    status,
    whole,
    without_proxies,
)

HALF = 150_000
PARTIAL = f".partial-{sha256_of_bytes(CONTENT)[:16]}"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    without_proxies(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "weights"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def assert_whole(folder: Path) -> None:
    """The file under its name, and nothing beside it."""
    assert names_in(folder) == ["numbers-1.pth"]
    assert (folder / "numbers-1.pth").read_bytes() == CONTENT


# -- as it should be ------------------------------------------------------------------------------------------------


def test_a_good_server_is_asked_once(folder: Path, clock: Clock) -> None:
    with serving(ranges()) as server:
        assert download(served_file(server.address), folder, clock.conditions()) == folder / "numbers-1.pth"
    assert_whole(folder)
    assert len(server.requests) == 1
    assert server.requests[0]["accept-encoding"] == "identity"
    assert "range" not in server.requests[0]
    assert clock.pauses == []


def test_a_file_that_is_here_is_kept_without_asking(folder: Path) -> None:
    folder.mkdir()
    (folder / "numbers-1.pth").write_bytes(CONTENT)
    assert download(served_file("http://127.0.0.1:9"), folder) == folder / "numbers-1.pth"
    assert_whole(folder)


def test_another_file_of_that_name_is_never_overwritten(folder: Path) -> None:
    folder.mkdir()
    (folder / "numbers-1.pth").write_bytes(b"the user's own")
    with pytest.raises(InputError, match=r"Expected SHA-256 .* of .*numbers-1\.pth.*Replace or remove that file"):
        download(served_file("http://127.0.0.1:9"), folder)
    assert names_in(folder) == ["numbers-1.pth"]
    assert (folder / "numbers-1.pth").read_bytes() == b"the user's own"


def test_a_body_of_unknown_length_is_read_to_its_end(folder: Path, clock: Clock) -> None:
    with serving(lambda exchange: exchange.answer(200, {"Connection": "close"}, CONTENT)) as server:
        download(served_file(server.address), folder, clock.conditions())
    assert_whole(folder)


def test_a_chunked_body_is_put_together(folder: Path, clock: Clock) -> None:
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(part), part) for part in (CONTENT[:7], CONTENT[7:200_000], CONTENT[200_000:], b"")
    )
    with serving(lambda exchange: exchange.answer(200, {"Transfer-Encoding": "chunked"}, chunks)) as server:
        download(served_file(server.address), folder, clock.conditions())
    assert_whole(folder)


def test_a_size_that_is_only_about_right_is_enough(folder: Path, clock: Clock) -> None:
    with serving(whole()) as server:
        file = served_file(server.address, size=280_000, size_is_exact=False)
        download(file, folder, clock.conditions())
    assert_whole(folder)


# -- cut connections ------------------------------------------------------------------------------------------------


def test_a_cut_connection_is_gone_on_with_by_range(folder: Path, clock: Clock) -> None:
    with serving(cut_at(HALF), cut_at(50_000), ranges()) as server:
        download(served_file(server.address), folder, clock.conditions())
    assert_whole(folder)
    assert [request.get("range") for request in server.requests] == [None, "bytes=150000-", "bytes=200000-"]
    assert [request.get("if-range") for request in server.requests] == [None, ETAG, ETAG]
    assert clock.pauses == [1, 2]


def test_what_came_is_kept_hidden_for_the_next_call(folder: Path, clock: Clock) -> None:
    with serving(cut_at(HALF), status(503)) as server:
        with pytest.raises(MissingComponent, match=r"150000 bytes are kept; the same command goes on"):
            download(served_file(server.address), folder, clock.conditions())
        assert names_in(folder) == [PARTIAL, f"{PARTIAL}.source"]
        assert (folder / PARTIAL).read_bytes() == CONTENT[:HALF]
        server.behaviours = [ranges()]
        download(served_file(server.address), folder, clock.conditions())
    assert_whole(folder)
    assert server.requests[-1]["range"] == "bytes=150000-"


def test_a_server_without_ranges_begins_anew(folder: Path, clock: Clock) -> None:
    def cut(exchange: Exchange) -> None:
        exchange.answer(200, {"Content-Length": len(CONTENT)}, CONTENT[:HALF])

    with serving(cut, whole()) as server:
        download(served_file(server.address), folder, clock.conditions())
    assert_whole(folder)
    assert server.requests[1]["range"] == "bytes=150000-"


def test_a_file_that_changed_meanwhile_is_not_glued_together(folder: Path, clock: Clock) -> None:
    old = bytes(len(CONTENT))
    with serving(ranges(old, '"old"', HALF), ranges()) as server:
        download(served_file(server.address), folder, clock.conditions())
    assert_whole(folder)
    assert server.requests[1]["if-range"] == '"old"'


def test_a_change_that_the_server_hides_costs_one_more_try(folder: Path, clock: Clock) -> None:
    with serving(cut_at(HALF, bytes(len(CONTENT))), ranges()) as server:
        download(served_file(server.address), folder, clock.conditions())
    assert_whole(folder)
    assert [request.get("range") for request in server.requests] == [None, "bytes=150000-", None]


@pytest.mark.parametrize(
    "header", ["bytes 0-299999/300000", "bytes 150001-299999/300000", "bytes 150000-200000/300000", "pages 1-2/3", ""]
)
def test_a_wrong_range_is_refused_and_the_whole_asked_for(folder: Path, clock: Clock, header: str) -> None:
    def lie(exchange: Exchange) -> None:
        exchange.answer(206, {"Content-Length": HALF, "Content-Range": header, "ETag": ETAG}, bytes(HALF))

    with serving(cut_at(HALF), lie, whole()) as server:
        download(served_file(server.address), folder, clock.conditions())
    assert_whole(folder)
    assert [request.get("range") for request in server.requests] == [None, "bytes=150000-", None]


def test_a_server_that_never_keeps_to_the_range_is_given_up(folder: Path, clock: Clock) -> None:
    def lie(exchange: Exchange) -> None:
        if exchange.first_byte:
            exchange.answer(206, {"Content-Length": 1, "Content-Range": "bytes 0-0/300000"}, b"?")
        else:
            cut_at(HALF)(exchange)

    with serving(lie) as server, pytest.raises(MissingComponent, match="other bytes than asked for"):
        download(served_file(server.address), folder, clock.conditions())
    assert len(server.requests) == 4
    assert "numbers-1.pth" not in names_in(folder)


def test_a_partial_file_that_is_whole_already_only_gets_its_name(folder: Path, clock: Clock) -> None:
    folder.mkdir()
    (folder / PARTIAL).write_bytes(CONTENT)
    with serving(ranges()) as server:
        download(served_file(server.address, size=310_000, size_is_exact=False), folder, clock.conditions())
    assert_whole(folder)
    assert [request["range"] for request in server.requests] == ["bytes=300000-"]  # answered with 416


def test_a_damaged_partial_file_is_thrown_away(folder: Path, clock: Clock) -> None:
    folder.mkdir()
    (folder / PARTIAL).write_bytes(CONTENT[:HALF] + bytes(400_000))
    (folder / f"{PARTIAL}.source").write_text("{")
    with serving(ranges()) as server:
        download(served_file(server.address), folder, clock.conditions())
    assert_whole(folder)


# -- busy and broken servers ----------------------------------------------------------------------------------------


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


# -- not the file ---------------------------------------------------------------------------------------------------


def test_a_wrong_digest_leaves_nothing(folder: Path, clock: Clock) -> None:
    other = CONTENT[:-1] + b"?"
    with (
        serving(ranges(other)) as server,
        pytest.raises(InputError, match=f"found {sha256_of_bytes(other)}; the file was not kept"),
    ):
        download(served_file(server.address), folder, clock.conditions())
    assert names_in(folder) == []
    assert len(server.requests) == 1


def test_a_wrong_digest_after_a_cut_is_tried_in_one_piece_and_then_leaves_nothing(folder: Path, clock: Clock) -> None:
    other = CONTENT[:-1] + b"?"
    with serving(cut_at(HALF, other), ranges(other)) as server, pytest.raises(InputError, match="not kept"):
        download(served_file(server.address), folder, clock.conditions())
    assert names_in(folder) == []
    assert [request.get("range") for request in server.requests] == [None, "bytes=150000-", None]


@pytest.mark.parametrize("count", [len(CONTENT) - 1, len(CONTENT) + 1, 10**18])
def test_an_announced_size_that_is_not_the_files_is_refused_unread(folder: Path, clock: Clock, count: int) -> None:
    with (
        serving(lambda exchange: exchange.answer(200, {"Content-Length": count}, CONTENT[:100])) as server,
        pytest.raises(InputError, match=f"Expected 300000 bytes from .*, found {count} bytes; .* not kept"),
    ):
        download(served_file(server.address), folder, clock.conditions())
    assert names_in(folder) == []


def test_more_bytes_than_the_file_has_are_refused(folder: Path, clock: Clock) -> None:
    with (
        serving(lambda exchange: exchange.answer(200, {"Connection": "close"}, CONTENT + b"?")) as server,
        pytest.raises(InputError, match="found more than 300000 bytes"),
    ):
        download(served_file(server.address), folder, clock.conditions())
    assert names_in(folder) == []


def test_far_more_bytes_than_about_the_size_are_refused(folder: Path, clock: Clock) -> None:
    with serving(whole()) as server:
        file = served_file(server.address, size=200_000, size_is_exact=False)
        with pytest.raises(InputError, match="Expected about 200000 bytes"):
            download(file, folder, clock.conditions())
    assert names_in(folder) == []


def test_a_short_body_of_unknown_length_is_no_file(folder: Path, clock: Clock) -> None:
    with (
        serving(lambda exchange: exchange.answer(200, {"Connection": "close"}, CONTENT[:HALF])) as server,
        pytest.raises(MissingComponent, match="the connection broke after 150000 of 300000 bytes"),
    ):
        download(served_file(server.address), folder, clock.conditions(tries=3))
    assert "numbers-1.pth" not in names_in(folder)


# -- redirects ------------------------------------------------------------------------------------------------------


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


# -- this machine ---------------------------------------------------------------------------------------------------


def test_a_full_disk_is_seen_before(folder: Path, clock: Clock) -> None:
    with (
        serving(whole()) as server,
        pytest.raises(InputError, match=r"Expected room for 300000 bytes .* found 299999"),
    ):
        download(served_file(server.address), folder, clock.conditions(free_bytes=lambda _: 299_999))
    assert names_in(folder) == []


def test_only_the_rest_needs_room(folder: Path, clock: Clock) -> None:
    folder.mkdir()
    (folder / PARTIAL).write_bytes(CONTENT[:HALF])
    with serving(ranges()) as server:
        download(served_file(server.address), folder, clock.conditions(free_bytes=lambda _: HALF))
    assert_whole(folder)


def test_a_disk_that_fills_up_keeps_what_came(folder: Path, clock: Clock, monkeypatch) -> None:
    append = PartialFile.append

    def full_at_half(partial: PartialFile, content: bytes) -> None:
        append(partial, content[: HALF - partial.size])
        if partial.size == HALF:
            raise OSError(errno.ENOSPC, "No space left on device")

    with serving(ranges()) as server:
        with monkeypatch.context() as patch:
            patch.setattr(PartialFile, "append", full_at_half)
            with pytest.raises(InputError, match=r"No space left on device\. .* what came so far is kept"):
                download(served_file(server.address), folder, clock.conditions())
        assert (folder / PARTIAL).read_bytes() == CONTENT[:HALF]
        download(served_file(server.address), folder, clock.conditions())
    assert_whole(folder)


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"Expected to write numbers-1\.pth into .*, found: Not a directory"):
        download(served_file("http://127.0.0.1:9"), tmp_path / "file" / "weights")


def test_a_read_only_folder_is_a_sentence(folder: Path, monkeypatch) -> None:
    def refuse(path: Path, *_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("_databacks.partial_file.os.open", refuse)  # root, who runs tests in containers, may write all
    with pytest.raises(InputError, match=r"found: Permission denied.*--to"):
        download(served_file("http://127.0.0.1:9"), folder)


def test_two_at_once_fetch_once(folder: Path, clock: Clock) -> None:
    first_is_at_work, second_waits = threading.Event(), threading.Event()

    def slow(exchange: Exchange) -> None:
        first_is_at_work.set()
        second_waits.wait(0.5)
        whole()(exchange)

    found: list[Path] = []

    def fetch(server_address: str) -> None:
        found.append(download(served_file(server_address), folder, clock.conditions()))

    with serving(slow) as server:
        threads = [threading.Thread(target=fetch, args=(server.address,)) for _ in range(2)]
        threads[0].start()
        assert first_is_at_work.wait(10)
        threads[1].start()
        for thread in threads:
            thread.join(20)
    assert found == [folder / "numbers-1.pth"] * 2
    assert_whole(folder)
    assert len(server.requests) == 1


# -- whatever comes -------------------------------------------------------------------------------------------------

OTHER = CONTENT[::-1]
ODD_HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Content-Length": st.sampled_from([0, 300_000, 5, "-5", "1e3", "²", "9" * 400]),
        "Content-Range": st.sampled_from(
            ["bytes 0-4/5", "bytes 150000-299999/300000", "bytes 150000-1/2", "bytes", "²"]
        ),
        "Retry-After": st.sampled_from(["0", "-1", "3", "Thu, 01 Jan 1970 00:00:00", "²", "9" * 400]),
        "ETag": st.sampled_from([ETAG, 'W/"weak"', "", "²"]),
        "Transfer-Encoding": st.just("chunked"),
        "Location": st.sampled_from(["/numbers-1.pth", "//", "http://127.0.0.1:9/"]),
    },
)
ODD = st.builds(
    lambda code, headers, body: lambda exchange: exchange.answer(code, headers, body),
    st.sampled_from([200, 204, 206, 302, 304, 416, 429, 500]),
    ODD_HEADERS,
    st.sampled_from([b"", b"5\r\nabc", CONTENT[:10], CONTENT[150_000:], CONTENT, OTHER, CONTENT + OTHER]),
)
KNOWN = st.sampled_from([whole(), ranges(), cut_at(HALF), whole(OTHER), cut_at(HALF, OTHER), status(503)])


@settings(max_examples=40, derandomize=True, deadline=None)
@given(behaviours=st.lists(st.one_of(ODD, KNOWN), min_size=1, max_size=5))
def test_whatever_a_server_does_the_name_is_given_to_the_file_only(behaviours) -> None:
    clock = Clock()
    with tempfile.TemporaryDirectory() as name, serving(*behaviours) as server:
        try:
            download(served_file(server.address), Path(name), clock.conditions(timeout_seconds=2.0))
        except (InputError, MissingComponent):
            assert {"numbers-1.pth"}.isdisjoint(names_in(Path(name)))
        else:
            assert_whole(Path(name))
    assert len(server.requests) < 40
    assert sum(clock.pauses) < 1000


# -- headers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "soon", "-5", "²", "Wed, 99 Foo 2020 00:00:00 GMT"])
def test_a_pause_that_says_nothing_is_none(text: str) -> None:
    assert retry_after(text, 0.0) is None


def test_a_date_in_the_past_asks_for_no_pause() -> None:
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 1e9) == 0


@pytest.mark.parametrize("text", [None, "bytes 1-", "bytes -5/10", "bytes ١-٢/٣", "bytes 1-2/3, bytes 4-5/6"])
def test_no_range_of_bytes_is_none(text: str | None) -> None:
    assert content_range(text) is None
