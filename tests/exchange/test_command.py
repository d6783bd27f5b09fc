"""Verbs: options from a dataclass, one sentence per error, exit codes, clean streams."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from _exchange.command import Outcome, Verb, execute
from _exchange.errors import CheckFailed, FormatError, InputError, MissingComponent, SuiteError
from _exchange.progress import choose_manner, progress

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Greet(Verb):
    """Greet somebody."""

    name: str = "world"
    """Whom to greet."""


def greet(options: Greet) -> Outcome:
    return Outcome(f"hello {options.name}", {"name": options.name})


def test_text_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(Greet, greet, ["--name", "Vita"]) == 0
    assert capsys.readouterr() == ("hello Vita\n", "")


def test_json_goes_to_stdout_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(Greet, greet, ["--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"name": "world"}


def test_field_docstrings_are_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        execute(Greet, greet, ["--help"])
    assert leaving.value.code == 0
    shown = capsys.readouterr().out
    assert "Whom to greet." in shown
    assert "python3 -m _scripts.greet" in shown


def test_a_wrong_option_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as leaving:
        execute(Greet, greet, ["--nom", "x"])
    assert leaving.value.code == 2


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (InputError("No such folder."), 2, "error: No such folder.\n"),
        (
            FormatError("nodes[0]", "a mesh", "a lamp", file="x.vrm"),
            2,
            "error: x.vrm: nodes[0]: expected a mesh, found a lamp.\n",
        ),
        (MissingComponent("No weights.", next_step="Run this."), 3, "error: No weights. Run this.\n"),
        (CheckFailed("Too far."), 1, "error: Too far.\n"),
        (
            KeyboardInterrupt(),
            130,
            "interrupted: what is finished is kept; the same command goes on where this one stopped.\n",
        ),
    ],
)
def test_an_error_is_one_sentence_and_an_exit_code(error, code, shown, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_options: Greet) -> Outcome:
        raise error

    assert execute(Greet, fail, []) == code
    assert capsys.readouterr() == ("", shown)


def test_a_reader_that_has_seen_enough_ends_the_verb_in_silence() -> None:
    code = (
        "from dataclasses import dataclass\nfrom _exchange.command import Outcome, Verb, main\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Count(Verb):\n    'Count.'\n"
        "main(Count, lambda _: Outcome('line\\n' * 200_000), [])\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"line\n"
    writer.stdout.close()
    assert writer.stderr is not None
    assert writer.stderr.read() == b""
    assert writer.wait(timeout=60) == 0


def test_a_terminal_without_a_sign_gets_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    assert execute(Greet, greet, ["--name", "512 × 512 \udce9"]) == 0
    assert narrow.buffer.getvalue() == b"hello 512 \\xd7 512 \\udce9\n"


def test_the_file_systems_refusal_is_no_fault_of_the_suite(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    def read_a_folder(_options: Greet) -> Outcome:
        return Outcome(tmp_path.read_text())

    assert execute(Greet, read_a_folder, []) == 2
    assert capsys.readouterr() == ("", f"error: Expected to read or write {tmp_path}, found: Is a directory.\n")


def test_a_result_that_is_no_json_is_a_fault_and_prints_no_half_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(Greet, lambda _: Outcome("text", {"path": object()}), ["--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "TypeError" in err


def test_a_fault_of_the_suite_shows_its_traceback_only_with_debug(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_options: Greet) -> Outcome:
        raise ZeroDivisionError("of ours")

    assert execute(Greet, fail, []) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert execute(Greet, fail, ["--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_check_that_did_not_hold_decides_the_exit_code() -> None:
    assert execute(Greet, lambda _: Outcome("", exit_code=1), []) == 1


@pytest.mark.parametrize("error", [FormatError("a", "b", "c", file="f"), MissingComponent("m", next_step="n")])
def test_errors_pass_between_processes(error: SuiteError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.exit_code == error.exit_code
    assert copy.__dict__ == error.__dict__


def test_plain_progress_ends_with_a_count_of_failures(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("drawing", 3, "plain") as shown:
        shown.advance("a")
        shown.advance("b", failed=True)
        shown.advance("c")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("drawing: 3/3, 1 failed, ")


def test_silent_progress_is_silent_and_a_bar_counts(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("drawing", 2, "off") as shown:
        shown.advance()
    assert capsys.readouterr() == ("", "")
    with progress("drawing", 2, "bar") as shown:
        shown.advance("a", failed=True)
        shown.advance("b")
        time.sleep(0.15)
    assert "2/2" in capsys.readouterr().err


def test_a_bar_shows_names_with_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("drawing", 1, "bar") as shown:
        shown.advance("own/x[/v2] [b]", failed=True)
    assert "own/x[/v2] [b]" in capsys.readouterr().err.replace("\n", "")


def test_plain_progress_of_a_failed_block_ends_without_a_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with progress("drawing", 2, "plain") as shown:
            shown.advance("a")
            raise InputError("No head.")

    with pytest.raises(InputError, match="No head"):
        fail()
    assert "2/2" not in capsys.readouterr().err


def test_no_pieces_show_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("drawing", 0, "bar"):
        pass
    assert capsys.readouterr() == ("", "")


def test_the_environment_decides_the_manner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIME3D_PROGRESS", "off")
    assert choose_manner() == "off"
    monkeypatch.setenv("ANIME3D_PROGRESS", "loud")
    assert choose_manner() in ("bar", "plain")
