"""What a report says when pieces are missing or damaged: one sentence each, and the rest still stands."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from _exchange.errors import FormatError, InputError
from _exchange.run_folder import RunFolder
from _exchange.run_record import RunRecord
from _measure.report.write import write_report
from tests.measure.report.markup import Markup
from tests.measure.report.small_run import FAILED, ITEMS, ODD, PLAIN, SmallRun


def first_page(copy: SmallRun) -> str:
    return Markup(write_report(copy.run)).text


def leave_one(copy: SmallRun) -> None:
    """One item shows as much as three, three times as quickly."""
    replace(RunRecord.read(copy.run.record), items=(str(PLAIN),)).write(copy.run.record)


def item_page(copy: SmallRun) -> Markup:
    return Markup(write_report(copy.run).parent / "items" / f"{PLAIN}.html")


def test_a_run_without_scores_names_the_command_that_brings_them(copy: SmallRun) -> None:
    copy.run.scores.unlink()
    copy.run.table("json").unlink()
    text = first_page(copy)
    assert "not measured yet: python3 -m _scripts.measure brings scores and table" in text
    assert "Scores of every character" not in text


@pytest.mark.parametrize("content", ["", "[]", "{", '{"rows": 1}', '{"rows": [{"subset": 1}]}'])
def test_a_damaged_table_is_said_in_a_sentence(copy: SmallRun, content: str) -> None:
    copy.run.table("json").write_text(content)
    assert "The scores cannot be read: table.json" in first_page(copy)


def test_damaged_scores_are_said_with_their_line(copy: SmallRun) -> None:
    copy.run.scores.write_text('{"item": "a/b"}\n')
    assert "The scores cannot be read: scores.jsonl: line 1" in first_page(copy)


def test_without_the_dataset_ours_is_shown_alone_and_the_page_says_so(copy: SmallRun) -> None:
    leave_one(copy)
    shutil.rmtree(copy.data)
    assert "The pages show the reconstruction alone." in first_page(copy)
    sources = [image.get("src", "") for image in item_page(copy).all("img")]
    assert any(source.endswith("ours-ortho_front.webp") for source in sources)
    assert not any("truth-" in source or "error-of" in source or "portrait" in source for source in sources)


def test_a_failed_item_without_its_dataset_has_a_reason_and_no_empty_frames(copy: SmallRun) -> None:
    replace(RunRecord.read(copy.run.record), items=(str(FAILED),)).write(copy.run.record)
    shutil.rmtree(copy.data)
    markup = Markup(write_report(copy.run).parent / "items" / f"{FAILED}.html")
    assert "Expected a face" in markup.text
    assert "scored views" not in markup.text
    assert not markup.all("article")


def test_an_item_that_left_the_dataset_keeps_its_page(copy: SmallRun) -> None:
    leave_one(copy)
    (copy.data / "subsets" / "daredemoE_test.csv").write_text(f"{ITEMS[1]}\n")
    assert "The dataset has no such item any more." in item_page(copy).text


def test_a_character_without_a_readable_file_lacks_its_attribution_only(copy: SmallRun) -> None:
    (copy.data / "raw" / "dssc" / f"{PLAIN}.vrm").write_bytes(b"glTF")
    markup = item_page(copy)
    assert "Its meta block cannot be read: albedo.vrm" in markup.text
    assert any(image.get("src", "").endswith("truth-ortho_front.webp") for image in markup.all("img"))


Damage = Callable[[RunFolder], object]
DAMAGES: dict[str, tuple[Damage, str]] = {
    "a torn picture": (
        lambda run: run.item(PLAIN).render("ortho_front").write_bytes(b"\x89PNG\r\n\x1a\n torn"),
        "ortho_front.png: expected a picture",
    ),
    "no picture": (
        lambda run: run.item(PLAIN).render("ortho_front").unlink(),
        "Expected a picture file items/genshin/albedo/renders/ortho_front.png, found none",
    ),
    "no mesh": (lambda run: run.item(PLAIN).mesh.unlink(), "Expected a reconstructed surface mesh.glb, found none."),
    "a mesh that is none": (
        lambda run: run.item(PLAIN).mesh.write_bytes(b"<html>"),
        "mesh.glb: expected a GLB file",
    ),
    "a torn mesh": (
        lambda run: run.item(PLAIN).mesh.write_bytes(run.item(PLAIN).mesh.read_bytes()[:200]),
        "mesh.glb: ",
    ),
    "a status that is none": (lambda run: run.item(PLAIN).status.write_text("[]"), "Its status cannot be read"),
    "no status": (lambda run: run.item(PLAIN).status.unlink(), "The run has not come to this item."),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_one_damaged_piece_is_a_sentence_on_its_page_and_on_the_first(copy: SmallRun, name: str) -> None:
    damage, sentence = DAMAGES[name]
    damage(copy.run)
    markup = item_page(copy)
    assert sentence in markup.text
    assert sentence in Markup(copy.run.report).text
    assert all(path.is_file() for path in markup.local_files())
    offered = [at["href"] for at in markup.all("a") if at["href"].endswith(".glb")]
    assert len(offered) == (0 if "mesh" in name else 1), "a mesh that cannot be read is not offered"


def test_what_is_incomplete_is_counted_and_never_called_ok(copy: SmallRun) -> None:
    copy.run.item(PLAIN).mesh.write_bytes(b"<html")
    (copy.data / "raw" / "dssc" / f"{ODD}.vrm").unlink()
    markup = Markup(write_report(copy.run))
    assert "failed or missing / incomplete 1 / 2" in markup.text
    assert badges(markup) == ["failed", *["incomplete"] * 4, "failed"]
    for item, badge in ((PLAIN, "incomplete"), (ODD, "incomplete"), (FAILED, "failed")):
        assert badges(Markup(markup.path.parent / "items" / f"{item}.html")) == [badge]


def badges(markup: Markup) -> list[str]:
    classes = (at.get("class", "").split() for at in markup.all("span"))
    return [names[1] for names in classes if names[:1] == ["status"]]


def test_pictures_of_two_sizes_have_no_error_map(copy: SmallRun) -> None:
    from _exchange.pictures import write_png
    from tests.measure.report.small_run import COLOUR, disc

    write_png(copy.run.item(PLAIN).render("ortho_front"), disc(COLOUR)[:100, :90])
    markup = item_page(copy)
    assert "Expected two pictures of one size" in markup.text
    assert not any("error-of-ours-ortho_front" in image.get("src", "") for image in markup.all("img"))


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run\.json, found none"):
        write_report(RunFolder(tmp_path))


def test_an_item_that_would_leave_the_report_is_refused(copy: SmallRun) -> None:
    replace(RunRecord.read(copy.run.record), items=("../x",)).write(copy.run.record)
    with pytest.raises(InputError, match="Expected an item name"):
        write_report(copy.run)


def test_a_damaged_record_is_refused(copy: SmallRun) -> None:
    copy.run.record.write_text("{}")
    with pytest.raises(FormatError, match="schema"):
        write_report(copy.run)
