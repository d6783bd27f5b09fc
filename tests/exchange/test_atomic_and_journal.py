"""Writes are whole or absent; journals survive torn lines and changed files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from _exchange import atomic
from _exchange.digest import sha256_of_file, sha256_of_value
from _exchange.journal import Journal, JournalEntry, digests_below

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_write_replaces_the_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b.txt"
    atomic.write_text(target, "one")
    atomic.write_text(target, "two")
    assert target.read_text() == "two"
    assert list(target.parent.iterdir()) == [target]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "b.txt"
    atomic.write_text(target, "old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        atomic.write_text(target, "new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_writer_killed_at_any_moment_never_leaves_half_a_file(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from _exchange import atomic\n"
        "print('ready', flush=True)\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1; atomic.write_bytes(Path(sys.argv[1]), bytes([n % 256]) * 3_000_000)\n"
    )
    target = tmp_path / "big.bin"
    for delay in (0.01, 0.04, 0.09):
        writer = subprocess.Popen([sys.executable, "-c", code, target], cwd=REPOSITORY, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        if target.exists():
            content = target.read_bytes()
            assert content == content[:1] * 3_000_000
    atomic.remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {"big.bin"}


def test_json_refuses_numbers_that_other_readers_refuse(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        atomic.write_json(tmp_path / "x.json", {"value": float("nan")})


def test_a_torn_last_line_is_left_out_and_the_next_line_starts_fresh(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    atomic.append_line(log, "one")
    with open(log, "ab") as stream:
        stream.write(b"tor")
    assert atomic.read_lines(log) == ["one"]
    atomic.append_line(log, "two")
    assert atomic.read_lines(log) == ["one", "tor", "two"]
    assert atomic.read_lines(tmp_path / "absent") == []


def entry_for(folder: Path, name: str, content: str, key: str = "k") -> JournalEntry:
    path = folder / name
    atomic.write_text(path, content)
    return JournalEntry(item=name, key=key, files=digests_below(folder, [path]))


def test_a_finished_piece_is_known_after_reopening(tmp_path: Path) -> None:
    entry = entry_for(tmp_path, "a", "content")
    Journal(tmp_path / "journal.jsonl").append(entry)
    reopened = Journal(tmp_path / "journal.jsonl")
    assert reopened.finished("a", "k") == entry
    assert reopened.finished("a", "other settings") is None
    assert reopened.finished("b", "k") is None


@pytest.mark.parametrize("damage", ["changed", "deleted"])
def test_a_piece_whose_file_is_damaged_is_not_finished(tmp_path: Path, damage: str) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(entry_for(tmp_path, "a", "content"))
    if damage == "changed":
        (tmp_path / "a").write_text("contenT")
    else:
        (tmp_path / "a").unlink()
    assert Journal(tmp_path / "journal.jsonl").finished("a", "k") is None


def test_the_last_line_about_a_piece_counts_and_torn_lines_do_not(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append(JournalEntry("a", "k", status="failed", reason="no head"))
    with open(path, "a") as stream:
        stream.write('{"item": "b", "ke\n[1, 2]\n')
    journal.append(JournalEntry("a", "k"))
    assert Journal(path).entries() == [JournalEntry("a", "k")]


def test_digests_are_those_of_the_standard_tool(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256_of_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of_value([1]) != sha256_of_value([1.5])
    assert json.loads(json.dumps(digests_below(tmp_path, [path]))) == {"abc": sha256_of_file(path)}
