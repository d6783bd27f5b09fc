"""What is here, what is accepted, and what the command says about the rest."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import _scripts.download as verb
from _databacks.licences import accepted_licences, require_acceptance
from _databacks.manifest import Gated, GatedPart, Manifest, manifest
from _databacks.stock import fetch, stock_text, take_stock
from _databacks.weight_folders import cache_folder, find_file, search_folders, user_cache
from _exchange.command import execute
from _exchange.errors import FormatError, InputError, MissingComponent
from tests.databacks.misbehaving_server import (
    CONTENT,
    LICENCE,
    PROXY_VARIABLES,
    names_in,
    served_file,
    serving,
    status,
    whole,
    without_proxies,
)

REPOSITORY = Path(__file__).resolve().parents[2]
GATED = Gated(
    "secrets",
    "data of others",
    "Ask them.",
    "https://example.org/form",
    "Put it below _data/secrets.",
    "python3 -m _scripts.doctor",
    (GatedPart("list", ("_data/secrets/list.csv",)), GatedPart("pictures", ("_data/secrets/*.png",))),
)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache and an empty working folder (returned)."""
    without_proxies(monkeypatch)
    monkeypatch.delenv("ANIME3D_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    (tmp_path / "desk").mkdir()
    monkeypatch.chdir(tmp_path / "desk")
    return tmp_path / "desk"


def run(monkeypatch: pytest.MonkeyPatch, catalogue: Manifest, *arguments: str) -> int:
    """The command on another manifest; its exit code."""
    monkeypatch.setattr(verb, "manifest", lambda: catalogue)
    return execute(verb.Download, verb.run, arguments)


# -- licences -------------------------------------------------------------------------------------------------------


def test_a_licence_is_shown_with_name_address_and_sentence_and_asked_once(tmp_path: Path, capsys) -> None:
    asked: list[str] = []

    def say_yes(question: str) -> bool:
        asked.append(question)
        return True

    file = served_file("https://a.org")
    for _ in range(2):
        require_acceptance(file, tmp_path, accepted=False, ask=say_yes)
    shown = capsys.readouterr().err
    assert (
        shown
        == "numbers-1.pth comes from a project under BSD-3-Clause (https://example.org/licence). Keep the notice.\n"
    )
    assert len(asked) == 1
    assert accepted_licences(tmp_path / "accepted.json") == {LICENCE.digest: "BSD-3-Clause https://example.org/licence"}


def test_a_licence_covers_every_file_under_it(tmp_path: Path) -> None:
    require_acceptance(served_file("https://a.org"), tmp_path, accepted=True, ask=None)
    require_acceptance(served_file("https://a.org", name="others"), tmp_path, accepted=False, ask=None)


def test_a_licence_that_reads_otherwise_is_asked_again(tmp_path: Path) -> None:
    require_acceptance(served_file("https://a.org"), tmp_path, accepted=True, ask=None)
    stricter = served_file("https://a.org", licence=replace(LICENCE, sentence="Not for money."))
    with pytest.raises(InputError, match="--accept"):
        require_acceptance(stricter, tmp_path, accepted=False, ask=None)
    require_acceptance(stricter, tmp_path, accepted=True, ask=None)
    assert len(accepted_licences(tmp_path / "accepted.json")) == 2


def test_without_a_terminal_the_flag_is_named_and_nothing_is_fetched(monkeypatch, capsys) -> None:
    with serving(whole()) as server:
        code = run(monkeypatch, Manifest((served_file(server.address),), ()), "numbers")
    assert code == 2
    sentence = capsys.readouterr().err.splitlines()[-1]
    assert sentence.endswith("Read https://example.org/licence, then run python3 -m _scripts.download numbers --accept")
    assert server.requests == []


def test_a_no_fetches_nothing(tmp_path: Path) -> None:
    with serving(whole()) as server, pytest.raises(InputError, match="was not accepted; nothing was downloaded"):
        fetch(
            Manifest((served_file(server.address),), ()), ["numbers"], [tmp_path], accepted=False, ask=lambda _: False
        )
    assert server.requests == []


def test_a_small_free_file_is_shown_but_not_asked_about(tmp_path: Path, capsys) -> None:
    require_acceptance(served_file("https://a.org", on_first_need=True), tmp_path, accepted=False, ask=None)
    assert "BSD-3-Clause (https://example.org/licence)" in capsys.readouterr().err
    assert not (tmp_path / "accepted.json").exists()


def test_a_damaged_memory_is_named(tmp_path: Path) -> None:
    for damage in ("{", "[]", '{"a": 1}'):
        (tmp_path / "accepted.json").write_text(damage)
        with pytest.raises(FormatError, match=r"accepted\.json"):
            require_acceptance(served_file("https://a.org"), tmp_path, accepted=True, ask=None)


def test_a_home_that_cannot_be_written_accepts_for_this_time(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("in the way")
    require_acceptance(served_file("https://a.org"), tmp_path / "file" / "home", accepted=True, ask=None)
    assert "accepted for this time only" in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "code"), [("yes", 0), ("no", 2)])
def test_a_person_at_a_terminal_types_the_answer(home: Path, typed: str, code: int) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
        "from tests.databacks.misbehaving_server import served_file\n"
        "import _scripts.download as verb; from _databacks.manifest import Manifest\n"
        "from _exchange.command import execute\n"
        "verb.manifest = lambda: Manifest((served_file(sys.argv[2]),), ())\n"
        "sys.exit(execute(verb.Download, verb.run, ['numbers']))"
    )
    environment = {name: value for name, value in os.environ.items() if name.lower() not in PROXY_VARIABLES}
    ours, theirs = pty.openpty()
    try:
        with serving(whole()) as server:
            command = [sys.executable, "-c", program, str(REPOSITORY), server.address]
            process = subprocess.Popen(
                command, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, env=environment, cwd=home
            )
            os.write(ours, f"{typed}\n".encode())
            process.communicate(timeout=60)
        shown = os.read(ours, 100_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert process.returncode == code, shown
    assert "Accept BSD-3-Clause? Type yes:" in shown
    assert (cache_folder() / "numbers-1.pth").exists() == (typed == "yes")
    assert (user_cache() / "accepted.json").exists() == (typed == "yes")


# -- folders --------------------------------------------------------------------------------------------------------


def test_folders_of_the_variable_come_before_the_cache(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("ANIME3D_WEIGHTS", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    assert search_folders() == (tmp_path / "a", tmp_path / "b", tmp_path / "cache" / "anime3d" / "weights")


def test_a_cache_that_is_not_absolute_does_not_count(monkeypatch) -> None:
    """XDG base directories: relative paths are ignored, so that nothing is strewn about working folders."""
    monkeypatch.setenv("HOME", "/home/somebody")
    for given in ("", "cache", "./cache"):
        monkeypatch.setenv("XDG_CACHE_HOME", given)
        assert user_cache() == Path("/home/somebody/.cache/anime3d")


def test_a_folder_that_cannot_be_looked_into_is_named(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 300)  # longer than a name may be: what the system says to root, too
    file = served_file("https://a.org")
    with pytest.raises(InputError, match=r"Expected to look for numbers-1\.pth in .*aaa, found: File name too long\."):
        find_file(file, [folder])
    (holding,) = take_stock(Manifest((file,), ()), [folder], tmp_path)
    assert (holding.state, "File name too long" in holding.sentence) == ("damaged", True)


@pytest.mark.parametrize("size", [{"size": 300_000}, {"size": 310_000, "size_is_exact": False}])
def test_a_file_that_a_browser_renamed_is_recognised(tmp_path: Path, size: dict[str, object]) -> None:
    (tmp_path / "numbers-1 (1).pth").write_bytes(CONTENT)
    (tmp_path / "another.pth").write_bytes(bytes(len(CONTENT)))
    (tmp_path / "folder.pth").mkdir()
    file = served_file("https://a.org", **size)
    assert find_file(file, [tmp_path / "absent", tmp_path]) == tmp_path / "numbers-1 (1).pth"


def test_a_file_in_a_package_is_found_without_importing_it(tmp_path: Path, monkeypatch) -> None:
    package = tmp_path / "numbers_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    (package / "data.pth").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(str(tmp_path))
    file = served_file("https://a.org", in_package="numbers_package/data.pth")
    assert find_file(file, []) == package / "data.pth"
    (package / "data.pth").write_bytes(b"another version")
    assert find_file(file, []) is None


# -- the table ------------------------------------------------------------------------------------------------------


def test_the_table_says_what_is_here_missing_damaged_and_gated(tmp_path: Path, home: Path) -> None:
    here = served_file("https://a.org", name="here", file_name="here.pth")
    damaged = served_file("https://a.org", name="damaged", file_name="damaged.npz")
    missing = served_file("https://a.org", name="missing", file_name="missing.pt", size=5 * 2**20)
    by_hand = served_file("", name="by-hand", file_name="by-hand.bin", url="", by_hand="Ask around.")
    (tmp_path / "here.pth").write_bytes(CONTENT)
    (tmp_path / "damaged.npz").write_bytes(b"?")
    (home / "_data" / "secrets").mkdir(parents=True)
    (home / "_data" / "secrets" / "list.csv").write_text("")
    stock = take_stock(Manifest((here, damaged, missing, by_hand), (GATED,)), [tmp_path], home)
    assert [(holding.name, holding.state) for holding in stock] == [
        ("here", "here"),
        ("damaged", "damaged"),
        ("missing", "missing"),
        ("by-hand", "by hand"),
        ("secrets", "gated"),
    ]
    lines = stock_text(stock).splitlines()
    assert lines[0] == "here     293 KiB  here     numbers in a row"
    assert lines[1:3] == ["    Licence: BSD-3-Clause", f"    {tmp_path / 'here.pth'}"]
    text = " ".join(stock_text(stock).split())
    assert "Replace or remove that file" in text
    assert "missing 5.0 MiB missing numbers in a row" in text
    assert "python3 -m _scripts.download missing" in text
    assert "Ask around." in text
    assert "Missing: pictures. https://example.org/form. Put it below _data/secrets. Then run python3 -m" in text


def test_commands_of_the_real_table_are_not_broken_over_lines(tmp_path: Path) -> None:
    lines = [line.strip() for line in stock_text(take_stock(manifest(), [], tmp_path)).splitlines()]
    for thing in manifest().gated:
        assert f"Then run {thing.check}" in lines
    for file in manifest().files:
        assert not file.url or file.command in lines


def test_a_gated_thing_that_is_complete_is_here(home: Path) -> None:
    (home / "_data" / "secrets").mkdir(parents=True)
    for name in ("list.csv", "a.png"):
        (home / "_data" / "secrets" / name).write_text("")
    (holding,) = take_stock(Manifest((), (GATED,)), [], home)
    assert (holding.state, holding.path, holding.sentence) == ("here", str(home / "_data/secrets/list.csv"), "")
    found = fetch(Manifest((), (GATED,)), ["secrets"], [home], accepted=False, ask=None)
    assert found == {"secrets": Path("_data/secrets/list.csv")}


def test_without_names_the_command_prints_the_table_also_as_json(monkeypatch, capsys) -> None:
    catalogue = Manifest((served_file("https://a.org"),), (GATED,))
    assert run(monkeypatch, catalogue) == 0
    assert capsys.readouterr().out.startswith(
        "numbers  293 KiB  missing  numbers in a row\n    Licence: BSD-3-Clause\n"
    )
    assert run(monkeypatch, catalogue, "--json") == 0
    entries = json.loads(capsys.readouterr().out)["entries"]
    assert [(entry["name"], entry["size"], entry["state"]) for entry in entries] == [
        ("numbers", 300_000, "missing"),
        ("secrets", None, "gated"),
    ]


# -- fetching -------------------------------------------------------------------------------------------------------


def test_all_fetches_what_has_an_address_and_the_rest_is_no_fault(tmp_path: Path, monkeypatch, capsys) -> None:
    with serving(whole()) as server:
        files = (
            served_file(server.address, name="one", file_name="one.pth"),
            served_file(server.address, name="two", file_name="two.bin"),
            served_file("", name="by-hand", file_name="by-hand.npz", url="", by_hand="Ask around."),
        )
        folder = str(tmp_path / "to")
        assert run(monkeypatch, Manifest(files, (GATED,)), "all", "--to", folder, "--accept", "--json") == 0
    assert names_in(tmp_path / "to") == ["one.pth", "two.bin"]
    assert json.loads(capsys.readouterr().out)["files"] == {"one": f"{folder}/one.pth", "two": f"{folder}/two.bin"}
    assert not cache_folder().exists()


def test_a_file_put_there_by_hand_is_not_fetched_and_needs_no_acceptance(monkeypatch, capsys) -> None:
    cache_folder().mkdir(parents=True)
    (cache_folder() / "from a friend.pth").write_bytes(CONTENT)
    with serving(status(500)) as server:
        assert run(monkeypatch, Manifest((served_file(server.address),), ()), "numbers") == 0
    assert server.requests == []
    assert capsys.readouterr().out == f"numbers: {cache_folder() / 'from a friend.pth'}\n"


def test_an_unknown_name_lists_the_known_before_anything_is_fetched(monkeypatch, capsys) -> None:
    with serving(whole()) as server:
        catalogue = Manifest((served_file(server.address),), (GATED,))
        assert run(monkeypatch, catalogue, "numbers", "letters", "--accept") == 2
    assert "Expected names out of numbers, secrets, found 'letters'" in capsys.readouterr().err
    assert server.requests == []


def test_a_gated_name_says_where_to_get_it_after_the_others_came(monkeypatch, capsys) -> None:
    with serving(whole()) as server:
        catalogue = Manifest((served_file(server.address),), (GATED,))
        assert run(monkeypatch, catalogue, "secrets", "numbers", "--accept") == 3
    sentence = capsys.readouterr().err.splitlines()[-1]
    assert "Expected data of others, found no list, no pictures" in sentence
    assert "Ask them." in sentence
    assert "https://example.org/form. Put it below _data/secrets. Then run python3 -m _scripts.doctor" in sentence
    assert (cache_folder() / "numbers-1.pth").read_bytes() == CONTENT


def test_what_has_no_address_says_where_it_comes_from(tmp_path: Path) -> None:
    file = served_file("", url="", by_hand="Ask around.")
    with pytest.raises(MissingComponent, match=r"Expected numbers-1\.pth in a folder, found none\. Ask around\."):
        fetch(Manifest((file,), ()), ["numbers"], [tmp_path], accepted=False, ask=None)
