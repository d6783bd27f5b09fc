"""From what a person asks for to a run folder: defaults, numbered folders, contradictions."""

from __future__ import annotations

from pathlib import Path

import pytest

from _exchange.errors import InputError
from _exchange.run_record import RunRecord
from _methods import panic3d_files, request
from _methods.generate import OtherRun
from _methods.request import GenerateConfig, choose, generate_as_asked
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


# -- what is taken when nothing is said -------------------------------------------------------------------------


def put_published_weights(desk: Path) -> None:
    folder = desk / "_data" / "weights" / "panic3d" / "unpacked"
    folder.mkdir(parents=True)
    for name in panic3d_files.PUBLISHED_NAMES.values():
        (folder / f"{name}.pkl").touch()


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch) -> TinyDataset:
    """Stands for the sample set."""
    dataset = TinyDataset(Path("sample"))
    monkeypatch.setattr(request, "current_sample", lambda: dataset)
    return dataset


@pytest.fixture
def animerecon(desk: Path) -> Path:
    """The list of AnimeRecon with one item, where the data set is looked for."""
    path = desk / "_data" / "lustrous" / "subsets" / "daredemoE_test.csv"
    path.parent.mkdir(parents=True)
    path.write_text("daredemoE/fandom_align/genshin/albedo/front\n")
    return path


def test_the_sample_set_and_the_baseline_where_nothing_is_published(sample: TinyDataset) -> None:
    choice = choose(GenerateConfig())
    assert (choice.dataset, choice.name, choice.method) == (sample, "sample", "inflate")
    assert "not comparable" in choice.sentence
    assert "inflate" in choice.sentence


def test_animerecon_and_the_published_weights_where_both_are_here(animerecon: Path, desk: Path) -> None:
    put_published_weights(desk)
    for method in ("", "panic3d"):
        choice = choose(GenerateConfig(method=method))
        assert (choice.dataset.renderset, choice.name, choice.method) == ("daredemoE", "animerecon", "panic3d")
        assert choice.sentence == "This takes AnimeRecon and the published weights. Method: panic3d."


@pytest.mark.parametrize("changes", [{}, {"method": "billboard"}, {"method": "panic3d", "checkpoint": "mine.pkl"}])
def test_half_of_it_another_method_or_other_weights_are_not_the_published_run(
    animerecon: Path, desk: Path, sample: TinyDataset, changes: dict
) -> None:
    if changes:
        put_published_weights(desk)
    assert choose(GenerateConfig(**changes)).dataset is sample


def test_what_was_asked_for_needs_no_sentence() -> None:
    choice = choose(GenerateConfig(data=Path("tiny")))
    assert (choice.name, choice.method, choice.sentence) == ("tiny", "inflate", "")


def test_options_of_the_method_reach_it_and_others_are_refused() -> None:
    with pytest.raises(InputError, match="found the option 'checkpoint'"):
        ask(checkpoint="weights.pkl")
    with pytest.raises(InputError, match=r"weights\.pkl, found no file"):
        ask(method="panic3d", checkpoint="weights.pkl")
