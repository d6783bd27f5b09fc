"""Writes with names and folders that file systems allow or refuse."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from _exchange import atomic

LONGEST = 255  # bytes of a name on the file systems of Linux


@pytest.mark.parametrize(
    "name",
    [
        "x" * LONGEST,
        "é" * (LONGEST // 2),
        "名" * (LONGEST // 3),
        "cafe\u0301 ☕.png",
        os.fsdecode(b"caf\xe9.json"),
        " ",
        "-rf",
    ],
    ids=["255 letters", "254 bytes of é", "255 bytes of 名", "combining", "no UTF-8", "a space", "an option"],
)
def test_every_name_that_a_file_may_have_can_be_written(tmp_path: Path, name: str) -> None:
    for content in (b"one", b"two"):
        atomic.write_bytes(tmp_path / name, content)
    assert os.listdir(tmp_path) == [name]
    assert (tmp_path / name).read_bytes() == b"two"


def test_a_name_beyond_the_limit_is_the_file_systems_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        atomic.write_bytes(tmp_path / ("x" * (LONGEST + 1)), b"")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "a" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        atomic.write_bytes(tmp_path / "a", b"")
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_in_place_of_the_folder_is_said_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        atomic.write_bytes(tmp_path / "file" / "x", b"")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_refuses_and_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "folder" / "x"
    atomic.write_text(target, "old")
    target.parent.chmod(0o555)
    try:
        with pytest.raises(PermissionError):
            atomic.write_text(target, "new")
        assert target.read_text() == "old"
    finally:
        target.parent.chmod(0o755)


def test_a_link_is_replaced_and_what_it_pointed_to_stays(tmp_path: Path) -> None:
    (tmp_path / "shared").write_text("of others")
    (tmp_path / "link").symlink_to(tmp_path / "shared")
    atomic.write_text(tmp_path / "link", "ours")
    assert (tmp_path / "shared").read_text() == "of others"
    assert not (tmp_path / "link").is_symlink()


def test_leftovers_are_deleted_at_every_depth_and_nothing_else_is(tmp_path: Path) -> None:
    names = [".partial-1-x", "a/b/.partial-77-mesh.glb", "a/kept.partial-1", ".hidden", ".partial-folder/kept"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    atomic.remove_leftovers(tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"a/kept.partial-1", ".hidden", ".partial-folder/kept"}


def test_a_writer_that_is_killed_leaves_only_what_is_removed_as_a_leftover(tmp_path: Path, monkeypatch) -> None:
    class Killed(BaseException):
        pass

    seen: list[str] = []

    def stop(*_arguments: object) -> None:
        seen.extend(os.listdir(tmp_path))
        raise Killed

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(Killed):
        atomic.write_bytes(tmp_path / "mesh.glb", b"x")
    (temporary,) = seen
    (tmp_path / temporary).touch()
    atomic.remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == []


def test_lines_keep_signs_that_other_readers_take_for_line_ends(tmp_path: Path) -> None:
    lines = ["a\u2028b", "c\x85d", "e\rf", "日本"]
    for line in lines:
        atomic.append_line(tmp_path / "log", line)
    assert (tmp_path / "log").read_bytes() == "".join(f"{line}\n" for line in lines).encode()
    assert atomic.read_lines(tmp_path / "log") == lines
