"""Every command of the README runs as it stands there, in the order in which it stands there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from _databacks.characters import FIRST_FREE_SEED, write_character
from tests import shared_data
from tests.parity.fixtures import ROOT as PARITY

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = [block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)]
COMMANDS = [[line.split("#")[0].strip() for line in block] for block in BLOCKS]
VERB_BLOCKS = [block for block in COMMANDS if all(line.startswith("python3 -m _scripts.") for line in block)]


def test_the_readme_has_commands() -> None:
    assert len(VERB_BLOCKS) >= 2
    assert ["make/demo", "make/test"] in COMMANDS


def test_scripts_named_in_the_readme_exist_and_can_be_run() -> None:
    for name in re.findall(r"make/\w+", README):
        assert os.access(REPOSITORY / name, os.X_OK), name


def test_files_named_in_the_readme_exist() -> None:
    for name in re.findall(r"`((?:_\w+|tests)/[\w./]+)`", README):
        if not name.startswith("_data"):
            assert (REPOSITORY / name).exists(), name


def test_the_table_of_commands_lists_every_verb_once() -> None:
    verbs = {path.stem for path in (REPOSITORY / "_scripts").glob("*.py")} - {"__init__"}
    listed = re.findall(r"^\| `(\w+)` \|", README, flags=re.MULTILINE)
    assert sorted(listed) == sorted(verbs)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the README assumes: own characters, and the published data where fixtures stand in for them."""
    folder = tmp_path_factory.mktemp("desk")
    write_character(FIRST_FREE_SEED, folder / "my_characters" / "one.vrm")
    published = PARITY / "measure" / "e2e" / "_data"
    if published.is_dir():
        shutil.copytree(published, folder / "_data")
        for path in [folder / "_data", *(folder / "_data").rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


@pytest.mark.parametrize("block", VERB_BLOCKS, ids=lambda block: block[0].removeprefix("python3 -m _scripts."))
def test_commands_run(block: list[str], desk: Path) -> None:
    if any("_data/lustrous" in line for line in block) and not (desk / "_data" / "lustrous").is_dir():
        pytest.skip("the parity fixtures, which stand in for the published data, are absent")
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "ANIME3D_PROGRESS": "off"}
    if (shared_data.ROOT / "weights").is_dir():
        environment["ANIME3D_WEIGHTS"] = str(shared_data.ROOT / "weights")
    for line in block:
        command = [sys.executable, *shlex.split(line)[1:]]
        result = subprocess.run(
            command, cwd=desk, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert result.returncode == 0, (line, result.stderr[-2000:])
        assert result.stdout, line
