"""Disks, folders and a second process at once; and whatever a server does, a name is given to the right file only."""

from __future__ import annotations

import errno
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _databacks.download import download
from _databacks.partial_file import PartialFile
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


# -- this machine -----------------------------------------------------------------------------------------------------


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
            with pytest.raises(InputError, match=r"No space left on device\. .* make room; what came is kept"):
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


def test_the_second_of_two_does_not_depend_on_what_the_first_throws_away(folder: Path, clock: Clock) -> None:
    first_is_at_work, outcomes = threading.Event(), []

    def refuse_late(exchange: Exchange) -> None:
        first_is_at_work.set()
        time.sleep(0.3)  # meanwhile the second one opens the same partial file and waits for it
        status(404)(exchange)

    def fetch(address: str) -> None:
        try:
            outcomes.append(download(served_file(address), folder, clock.conditions()))
        except MissingComponent as error:
            outcomes.append(error)

    with serving(refuse_late, whole()) as server:
        threads = [threading.Thread(target=fetch, args=(server.address,)) for _ in range(2)]
        threads[0].start()
        assert first_is_at_work.wait(10)
        threads[1].start()
        for thread in threads:
            thread.join(20)
    assert isinstance(outcomes[0], MissingComponent)
    assert outcomes[1:] == [folder / "numbers-1.pth"]
    assert_whole(folder)


# -- whatever comes ---------------------------------------------------------------------------------------------------

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
