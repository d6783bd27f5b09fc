"""The shell scripts of make/ before they install anything: wrong use and missing interpreters are sentences."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(path for path in (REPOSITORY / "make").iterdir() if path.is_file())


def call(script: Path, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_run_stops_at_errors_and_says_what_it_does(script: Path) -> None:
    assert os.access(script, os.X_OK)
    lines = script.read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert lines[1].startswith("# ")
    assert "set -euo pipefail" in lines
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


def test_an_unknown_option_is_a_usage_error(tmp_path: Path) -> None:
    answer = call(REPOSITORY / "make" / "setup", "--fast", cwd=tmp_path)
    assert (answer.returncode, answer.stderr) == (2, "usage: make/setup [--test]\n")


@pytest.mark.parametrize("script", ["setup", "demo", "test", "lint"])
def test_without_an_interpreter_every_script_names_the_package_that_brings_it(tmp_path: Path, script: str) -> None:
    answer = call(REPOSITORY / "make" / script, cwd=tmp_path, PYTHON="no-such-python")
    assert answer.returncode == 3
    assert "expected Python 3.11 or newer, found none" in answer.stderr
    assert "apt-get install python3" in answer.stderr


def test_an_old_interpreter_is_named_with_its_version(tmp_path: Path) -> None:
    old = tmp_path / "python3.8"
    old.write_text('#!/bin/sh\n[ "$1" = "-V" ] && echo "Python 3.8.10" && exit 0\nexit 1\n')
    old.chmod(0o755)
    answer = call(REPOSITORY / "make" / "setup", cwd=tmp_path, PYTHON=str(old))
    assert answer.returncode == 3
    assert "found Python 3.8.10. Set PYTHON to a newer interpreter." in answer.stderr
