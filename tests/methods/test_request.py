"""From what a person asks for to a run folder: defaults, numbered folders, contradictions."""

from __future__ import annotations

from pathlib import Path

import pytest

from _exchange.errors import InputError
from _exchange.run_record import RunRecord
from _methods import request
from _methods.generate import OtherRun
from _methods.request import GenerateConfig, generate_as_asked
from tests.methods.tiny_dataset import TinyDataset


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and a tiny dataset wherever one is opened."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANIME3D_PROGRESS", "off")
    monkeypatch.setattr(request, "open_dataset", lambda root: TinyDataset(root, count=1))
    return tmp_path


def ask(**changes) -> Path:
    config = GenerateConfig(**{"data": Path("tiny"), "method": "billboard", "resolution": 16, "workers": 1, **changes})
    return generate_as_asked(config).run.path


def test_the_usual_folder_is_named_by_dataset_and_method(desk: Path) -> None:
    assert ask() == Path("runs/tiny-billboard")
    assert RunRecord.read(desk / "runs" / "tiny-billboard" / "run.json").items == ("made/disc0",)


def test_the_same_request_goes_on_and_another_gets_a_folder_beside() -> None:
    assert ask() == ask()
    assert ask(seed=7) == Path("runs/tiny-billboard-2")
    assert ask(seed=8) == Path("runs/tiny-billboard-3")
    assert ask(seed=7) == Path("runs/tiny-billboard-2")
    assert ask() == Path("runs/tiny-billboard")


def test_a_folder_that_was_asked_for_is_never_changed_for_another() -> None:
    ask(out=Path("mine"))
    with pytest.raises(OtherRun, match="other values of seed"):
        ask(out=Path("mine"), seed=7)
    assert ask(out=Path("mine"), seed=7, overwrite=True) == Path("mine")


def test_resume_needs_a_run_of_the_same_configuration() -> None:
    with pytest.raises(InputError, match="found none"):
        ask(resume=True)
    ask()
    assert ask(resume=True) == Path("runs/tiny-billboard")
    with pytest.raises(OtherRun):
        ask(resume=True, seed=7)


def test_resume_and_overwrite_contradict_each_other() -> None:
    with pytest.raises(InputError, match="found both"):
        ask(resume=True, overwrite=True)
