"""The page over several runs: leaderboard, every character side by side, and a folder that holds all it leads to."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import pytest

from _exchange.errors import InputError
from _exchange.run_folder import RunFolder
from _exchange.run_record import RunRecord
from _exchange.scores import read_scores, write_scores
from _measure.report.many import write_many
from tests.measure.report.markup import Markup
from tests.measure.report.small_run import FAILED, HOSTILE, ODD, PLAIN, SmallRun, copied


@dataclass(frozen=True)
class Pair:
    """Two runs of the same characters; the second is worse in every score."""

    first: RunFolder
    second: RunFolder
    out: Path

    def write(self) -> Markup:
        return Markup(write_many([self.first, self.second], self.out))


@pytest.fixture(scope="module")
def written(reported: SmallRun, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Two runs with their page; not to be changed."""
    pair = make_pair(reported, tmp_path_factory.mktemp("written"))
    pair.write()
    return pair


@pytest.fixture
def pair(written: Pair, tmp_path: Path) -> Pair:
    """A copy to change, its page written."""
    root = written.out.parent.parent
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    first, second, out = (
        tmp_path / path.relative_to(root) for path in (written.first.path, written.second.path, written.out)
    )
    pair = Pair(RunFolder(first), RunFolder(second), out)
    for run in (pair.first, pair.second):
        replace(RunRecord.read(run.record), data_root=str(tmp_path / "data")).write(run.record)
    return pair


def make_pair(reported: SmallRun, root: Path) -> Pair:
    first = copied(reported, root).run
    second = RunFolder(root / "runs" / "second")
    shutil.copytree(first.path, second.path)
    scores = read_scores(second.scores)
    write_scores(second.scores, [replace(s, value=s.value * (0.5 if s.metric == "psnr" else 2)) for s in scores])
    return Pair(first, second, root / "runs" / "both")


def test_every_link_and_picture_lies_in_the_folder(written: Pair) -> None:
    pages = sorted(written.out.rglob("*.html"))
    assert len(pages) == 9  # this one, and four of each run
    for path in pages:
        for file in Markup(path).local_files():
            assert file.is_file(), f"{path} leads to {file}"
            assert file.is_relative_to(written.out.resolve())


def test_runs_are_ranked_row_by_row(written: Pair) -> None:
    text = Markup(written.out / "index.html").text
    assert "geom cd lower 1 first & <best> 2.000" in text
    assert "2 second 4.000" in text
    assert "2/3" in text  # the failed item counts


def test_the_leaderboard_is_offered_in_every_form(written: Pair) -> None:
    markup = Markup(written.out / "index.html")
    links = [at["href"] for at in markup.all("a") if "download" in at]
    assert links == [f"downloads/leaderboard.{form}" for form in ("csv", "tex", "md", "json")]
    folder = written.out / "downloads"
    (best, *_) = [row for row in json.loads((folder / "leaderboard.json").read_text())["rows"] if row["metric"] == "cd"]
    assert (best["run"], best["rank"], best["value"]) == ("first & <best>", 1, 2.0)
    (line, *_) = [line for line in (folder / "leaderboard.csv").read_text().splitlines() if line.startswith("geom,cd,")]
    assert "first & <best>,2.0," in line
    assert r"first \& \textless{}best\textgreater{} & 2.000" in (folder / "leaderboard.tex").read_text()
    assert r"| first & \<best> | 2.000 |" in (folder / "leaderboard.md").read_text()


def test_every_number_has_its_head_for_a_phone(written: Pair) -> None:
    cells = Markup(written.out / "index.html").all("td")
    assert {at["data-label"] for at in cells if "data-label" in at} == {"95 % interval", "coverage", "remark"}


def test_a_character_stands_beside_itself_with_a_link_into_each_run(written: Pair) -> None:
    markup = Markup(written.out / "index.html")
    hrefs = [at["href"] for at in markup.all("a")]
    for run in (written.first, written.second):
        assert f"reports/{quote(run.path.name)}/index.html" in hrefs
        assert f"reports/{quote(run.path.name)}/items/{quote(str(ODD))}.html" in hrefs
    sources = [at["src"] for at in markup.all("img") if str(PLAIN) in at["src"]]
    kinds = [source.split("/")[-1] for source in sources]
    ours, truth = ["ours-ortho_front.webp", "ours-ortho_back.webp"], ["truth-ortho_front.webp", "truth-ortho_back.webp"]
    assert kinds == [*truth, *ours, *ours]
    assert f"{FAILED}, front, second: none" in [at.get("aria-label") for at in markup.all("span")]


def test_hostile_names_make_no_element(written: Pair) -> None:
    markup = Markup(written.out / "index.html")
    assert HOSTILE in markup.text
    assert all(script.get("src") for script in markup.all("script"))
    assert not any(name.startswith("on") for _, attributes in markup.tags for name in attributes)


def test_runs_that_cannot_be_ranked_are_shown_without_leaderboard(pair: Pair) -> None:
    assert (pair.out / "downloads" / "leaderboard.csv").is_file()
    pair.second.scores.unlink()
    markup = pair.write()
    assert not list((pair.out / "downloads").iterdir())
    assert not [at for at in markup.all("a") if "download" in at]
    assert "These runs have no leaderboard:" in markup.text
    assert str(pair.out.parent.parent) not in markup.path.read_text()
    assert any("reports/second/pictures" in at["src"] for at in markup.all("img"))


def test_notes_of_runs_stand_on_the_page(pair: Pair) -> None:
    record = RunRecord.read(pair.second.record)
    replace(record, note="Random weights: numbers mean nothing.").write(pair.second.record)
    assert "second: Random weights: numbers mean nothing." in pair.write().text


def test_a_second_time_nothing_is_written_again(pair: Pair) -> None:
    pair.write()
    before = {path: path.stat().st_mtime_ns for path in pair.out.rglob("*")}
    pair.write()
    assert {path: path.stat().st_mtime_ns for path in pair.out.rglob("*")} == before


def test_what_left_a_run_leaves_its_copy_and_other_files_stay(pair: Pair) -> None:
    pair.write()
    own = pair.out / "reports" / "second" / "mine.txt"
    own.write_text("mine")
    replace(RunRecord.read(pair.second.record), items=(str(PLAIN),)).write(pair.second.record)
    pair.write()
    assert not (pair.out / "reports" / "second" / "items" / f"{ODD}.html").exists()
    assert own.read_text() == "mine"


@pytest.mark.parametrize("twice", [True, False])
def test_fewer_than_two_runs_are_refused(written: Pair, tmp_path: Path, twice: bool) -> None:
    with pytest.raises(InputError, match="at least two different runs"):
        write_many([written.first] * (2 if twice else 1), tmp_path / "out")
    assert not (tmp_path / "out").exists()
