"""Verbs as a user meets them: streams, JSON, exit codes and sentences, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from _databacks.characters import FIRST_FREE_SEED, write_character

REPOSITORY = Path(__file__).resolve().parents[2]


def call(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    everything = os.environ | {"PYTHONPATH": str(REPOSITORY), "ANIME3D_PROGRESS": "off", **environment}
    command = [sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=everything, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one character prepared as the dataset ``data`` and reconstructed as the run ``run``."""
    folder = tmp_path_factory.mktemp("verbs")
    write_character(FIRST_FREE_SEED, folder / "in" / "one.vrm")
    (folder / "in" / "broken.vrm").write_bytes(b"glTF but not really")
    first = call("_scripts.prepare", "in", "--out", "data", "--json", cwd=folder)
    assert first.returncode == 0, first.stderr
    answer = json.loads(first.stdout)
    assert (answer["drawn"], answer["failed"]) == (1, 1)
    assert [problem["file"] for problem in answer["problems"]] == ["broken.vrm"]
    second = call("_scripts.generate", "--data", "data", "--method", "billboard", "--out", "run", cwd=folder)
    assert second.returncode == 0, second.stderr
    return folder


def test_prepare_again_draws_nothing(prepared: Path) -> None:
    again = call("_scripts.prepare", "in", "--out", "data", "--json", cwd=prepared)
    assert json.loads(again.stdout)["drawn"] == 0


def test_generate_again_makes_nothing_and_another_method_is_refused(prepared: Path) -> None:
    command = ("_scripts.generate", "--data", "data", "--out", "run", "--method")
    again = call(*command, "billboard", "--json", cwd=prepared)
    assert json.loads(again.stdout)["made"] == 0
    other = call(*command, "inflate", cwd=prepared)
    assert other.returncode == 2
    assert "method" in other.stderr
    assert "Traceback" not in other.stderr


def test_measure_without_networks_says_what_did_not_run_and_how_to_bring_it(prepared: Path, tmp_path: Path) -> None:
    table = call("_scripts.measure", "run", "--offline", cwd=prepared, ANIME3D_WEIGHTS="", XDG_CACHE_HOME=str(tmp_path))
    assert table.returncode == 0, table.stderr
    assert "not run" in table.stdout
    assert "python3 -m _scripts.download squeezenet1_1" in table.stdout
    psnr = next(line.split() for line in table.stdout.splitlines() if line.split()[:2] == ["front", "psnr"])
    assert 5 < float(psnr[2]) < 60


def test_measure_as_json_has_every_row(prepared: Path) -> None:
    answer = json.loads(call("_scripts.measure", "run", "--offline", "--json", cwd=prepared).stdout)
    rows = {(row["subset"], row["metric"]) for row in answer["rows"]}
    assert len(rows) == 17
    assert answer["protocol"] == "corrected"


def test_paper_protocol_takes_alexnet_and_says_so(prepared: Path) -> None:
    table = call("_scripts.measure", "run", "--offline", "--protocol", "paper", cwd=prepared)
    assert table.returncode == 0, table.stderr
    assert "protocol paper" in table.stdout
    assert "alex" in table.stdout


def test_report_of_a_run_is_a_page(prepared: Path) -> None:
    page = call("_scripts.report", "run", cwd=prepared)
    assert page.returncode == 0, page.stderr
    assert "run/report/index.html" in page.stdout
    assert (prepared / "run" / "report" / "index.html").is_file()


@pytest.mark.parametrize("what", ["render", "measure"])
def test_bench_prints_stages(prepared: Path, what: str) -> None:
    subject = {"render": ["in/one.vrm"], "measure": ["run"]}[what]
    answer = call("_scripts.bench", what, *subject, "--repeats", "1", cwd=prepared)
    assert answer.returncode == 0, answer.stderr
    assert "CPU" in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("_scripts.prepare", "nowhere", "--out", "x"), 2, "nowhere"),
        (("_scripts.generate", "--data", "nowhere"), 2, "nowhere"),
        (("_scripts.generate", "--data", "data", "--method", "magic", "--out", "m"), 2, "inflate"),
        (("_scripts.generate", "--data", "data", "--resume", "--out", "never"), 2, "never"),
        (("_scripts.generate", "--data", "data", "--shard", "3", "--out", "m"), 2, "1/4"),
        (("_scripts.measure", "nowhere"), 2, "nowhere"),
        (("_scripts.report", "nowhere"), 2, "nowhere"),
        (("_scripts.download", "nothing"), 2, "alexnet"),
        (("_scripts.prepare", "--kinds", "oil", "--out", "x", "in"), 2, "oil"),
        (("_scripts.measure", "run", "--lpips-net", "vgg", "--protocol", "paper"), 2, "alex"),
        (("_scripts.bench", "render", "--repeats", "0"), 2, "--repeats"),
        (("_scripts.characters", "--out", "none", "--count", "0"), 2, "at least one character"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_wrong_input_is_one_sentence(prepared: Path, arguments, code: int, sentence: str) -> None:
    answer = call(*arguments, cwd=prepared)
    assert answer.returncode == code, answer.stderr
    assert sentence in answer.stderr
    assert "Traceback" not in answer.stderr
    assert answer.stdout == ""


def test_a_folder_that_cannot_be_written_is_a_sentence(prepared: Path) -> None:
    (prepared / "occupied").write_text("a file where a folder is wanted")
    answer = call("_scripts.characters", "--out", "occupied", "--count", "1", cwd=prepared)
    assert answer.returncode == 2
    assert "occupied" in answer.stderr
    assert "fault of the suite" not in answer.stderr
    assert "Traceback" not in answer.stderr


def test_doctor_lists_findings_and_what_fixes_them(tmp_path: Path) -> None:
    answer = call("_scripts.doctor", "--json", cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout
    findings = {finding["what"]: finding for finding in json.loads(answer.stdout)["findings"]}
    assert findings["packages"]["present"]
    assert not findings["sample set"]["present"]
    assert "_scripts.prepare" in findings["sample set"]["fix"]


def test_characters_writes_files_of_the_seeds_asked_for(tmp_path: Path) -> None:
    answer = call("_scripts.characters", "--out", "made", "--count", "2", "--json", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    files = json.loads(answer.stdout)["files"]
    assert len(files) == 2
    assert all((tmp_path / file).read_bytes()[:4] == b"glTF" for file in files)
