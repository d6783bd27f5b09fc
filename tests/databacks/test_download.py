"""Downloads as they should be, connections that are cut, and what is not the file: what is kept, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from _databacks.download import download
from _exchange.digest import sha256_of_bytes
from _exchange.errors import InputError, MissingComponent
from tests.databacks.misbehaving_server import (
    CONTENT,
    ETAG,
    HALF,
    PARTIAL,
    Clock,
    Exchange,
    assert_whole,
    cut_at,
    names_in,
    ranges,
    served_file,
    serving,
    status,
    whole,
)

pytestmark = pytest.mark.usefixtures("no_proxies")


# -- as it should be --------------------------------------------------------------------------------------------------


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


# -- cut connections --------------------------------------------------------------------------------------------------


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
        exchange.answer(206, {"Content-Length": HALF, "Content-Range": header, "ETag": ETAG}, bytes(1000))

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


def test_a_partial_file_that_a_power_cut_damaged_is_thrown_away(folder: Path, clock: Clock) -> None:
    folder.mkdir()
    (folder / PARTIAL).write_bytes(CONTENT[:HALF] + bytes(HALF))
    with serving(ranges()) as server:
        download(served_file(server.address), folder, clock.conditions())
    assert_whole(folder)
    assert ["range" in request for request in server.requests] == [False]


def test_a_partial_file_that_is_too_long_is_thrown_away(folder: Path, clock: Clock) -> None:
    folder.mkdir()
    (folder / PARTIAL).write_bytes(CONTENT[:HALF] + bytes(400_000))
    (folder / f"{PARTIAL}.source").write_text("{")
    with serving(ranges()) as server:
        download(served_file(server.address), folder, clock.conditions())
    assert_whole(folder)


# -- not the file -----------------------------------------------------------------------------------------------------


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
