"""The pages of a run with hostile names and texts: what they show, what they link, and that they repeat."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from _exchange.pictures import read_picture, write_png
from _exchange.run_folder import RunFolder
from _exchange.run_record import RunRecord
from _measure.mesh_file import read_mesh_file
from _measure.report.colour_map import legend_picture
from _measure.report.write import write_report
from tests.measure.report.markup import Markup
from tests.measure.report.small_run import (
    COLOUR,
    DISTANCE_METRES,
    FAILED,
    HOSTILE,
    ODD,
    OTHER_COLOUR,
    PLAIN,
    SmallRun,
    disc,
)


def report_folder(small: SmallRun) -> Path:
    return small.run.report.parent


def index(small: SmallRun) -> Markup:
    return Markup(small.run.report)


def page(small: SmallRun, item: object) -> Markup:
    return Markup(report_folder(small) / "items" / f"{item}.html")


def pages(small: SmallRun) -> list[Markup]:
    found = sorted(report_folder(small).rglob("*.html"))
    assert len(found) == 4
    return [Markup(path) for path in found]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# -- links and safety -------------------------------------------------------------------------------------------


def test_every_link_and_picture_of_every_page_exists_inside_the_report(reported: SmallRun) -> None:
    for markup in pages(reported):
        files = markup.local_files()
        assert len(files) >= 3
        for path in files:
            assert path.is_file(), f"{markup.path} links to {path}"
            assert path.is_relative_to(report_folder(reported).resolve())


def test_every_file_of_the_report_is_used_by_a_page(reported: SmallRun) -> None:
    used = {path for markup in pages(reported) for path in markup.local_files()} | {reported.run.report.resolve()}
    for path in report_folder(reported).rglob("*"):
        if path.is_file() and path.name != "made.json":
            assert path.resolve() in used, path


def test_outside_addresses_stand_only_in_links_to_licences_and_authors(reported: SmallRun) -> None:
    for markup in pages(reported):
        for tag, address in markup.addresses():
            if ":" in address:
                licence = "https://creativecommons.org/publicdomain/zero/1.0/"
                assert (tag, address) in {("a", licence), ("link", "data:,")}
    for path in (report_folder(reported) / "assets").glob("*.[cj]s*"):
        assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttp", path.read_text(encoding="utf-8")), path


def test_hostile_texts_are_shown_and_make_no_element(reported: SmallRun) -> None:
    assert HOSTILE in index(reported).text
    for markup in pages(reported):
        assert all(script.get("src") for script in markup.all("script"))
        assert not markup.all("b") or all("onerror" not in at for _, at in markup.tags)
        assert not any(name.startswith("on") for _, attributes in markup.tags for name in attributes)
        assert all(image.get("src", "").endswith(".webp") for image in markup.all("img") if "data-side" not in image)
    author = page(reported, PLAIN)
    assert "javascript:alert(1)" in author.text
    assert not any("javascript" in address for _, address in author.addresses())
    assert 'https://example.org/"><script>alert(2)</script>' in author.text


def test_pages_forbid_inline_scripts_and_connections(reported: SmallRun) -> None:
    for markup in pages(reported):
        policies = [meta["content"] for meta in markup.all("meta") if "http-equiv" in meta]
        assert len(policies) == 1
        assert policies[0].startswith("default-src 'none';")
        assert "unsafe" not in policies[0]


def test_nothing_says_where_the_run_was_made(reported: SmallRun) -> None:
    for name, content in contents(report_folder(reported)).items():
        if not name.endswith(".webp"):
            assert str(reported.data.parent).encode() not in content, name


# -- what is shown ----------------------------------------------------------------------------------------------


def test_the_first_page_lists_every_item_in_order_with_its_page(reported: SmallRun) -> None:
    cards = [at["href"] for at in index(reported).all("a") if at["href"].startswith("items/")]
    expected = [f"items/{quote(str(item))}.html" for item in (PLAIN, ODD, FAILED)]
    assert [card for card in dict.fromkeys(cards) if card != expected[2]] == expected[:2]
    assert expected[2] in cards


def test_the_table_shows_values_errors_counts_and_what_did_not_run(reported: SmallRun) -> None:
    text = index(reported).text
    interval = r"(\S+ … \S+ )?"
    assert re.search(rf"geom cd ↓ 2\.000 1\.000 {interval}2 1", text)  # mean of 1 and 3 cm, and √2/√2
    assert re.search(rf"all lpips ↓ 5\.0000E-01 2\.5000E-01 {interval}2 1", text)
    assert "front clip ↑ not run 0 3 (1) front" in text
    assert "back clip ↑ not run 0 3 (1) back" in text
    assert text.count(f"no {HOSTILE}") == 1
    assert "Protocol corrected , LPIPS through squeeze , 3 items, 1 of them with something missing." in text
    assert "python 3.11.7" in text


def test_a_failed_item_is_named_with_its_reason_and_has_a_page(reported: SmallRun) -> None:
    assert f"failed genshin/lost Expected a face, found {HOSTILE}." in index(reported).text
    assert f"Expected a face, found {HOSTILE}." in page(reported, FAILED).text


def test_published_numbers_are_left_to_verify(reported: SmallRun) -> None:
    assert "python3 -m _scripts.verify compares what can be compared" in index(reported).text


def test_own_characters_are_said_to_be_incomparable(copy: SmallRun) -> None:
    replace(RunRecord.read(copy.run.record), dataset="own").write(copy.run.record)
    write_report(copy.run)
    assert "no number on this page can be compared with published ones" in index(copy).text


def test_what_must_stand_beside_every_number_stands_on_every_page(copy: SmallRun) -> None:
    note = "Random weights: pictures and numbers mean nothing."
    assert note not in index(copy).text
    replace(RunRecord.read(copy.run.record), note=note).write(copy.run.record)
    write_report(copy.run)
    assert all(note in shown.text for shown in (index(copy), *(page(copy, item) for item in (PLAIN, ODD, FAILED))))


def test_scores_of_every_item_stand_in_sortable_cells(reported: SmallRun) -> None:
    numbers = [at["data-number"] for at in index(reported).all("td") if "data-number" in at]
    # Nine columns: lpips and psnr of three subsets, cd, all lpips, all chamfer.
    assert [float(n) for n in numbers[:9]] == [25, np.inf, 25, np.inf, 25, np.inf, 1.0, 0.25, 1.0]
    assert [float(n) for n in numbers[9:]] == pytest.approx([75, 12.5, 75, 12.5, 75, 12.5, 3.0, 0.75, 3.0], rel=1e-12)
    ranks = [at["class"] for at in index(reported).all("td") if "data-number" in at]
    assert set(ranks[:9]) == {"number rank0"}
    assert set(ranks[9:]) == {"number rank5"}


def test_a_character_shows_truth_ours_and_error_of_all_fourteen_views(reported: SmallRun) -> None:
    views = [at["data-view"] for at in page(reported, PLAIN).all("article")]
    spin = [f"rgb60_{number:04d}" for number in (*range(42, 48), *range(36, 42))]
    assert views == ["ortho_front", "ortho_back", *spin]
    sides = [at["data-side"] for at in page(reported, PLAIN).all("figure") if "data-side" in at]
    assert sides == ["truth", "ours", "error"] * 14
    assert "330° rgb60_0041" in page(reported, PLAIN).text


def test_author_licence_and_time_stand_on_the_page(reported: SmallRun) -> None:
    text = page(reported, PLAIN).text
    assert "licence CC0" in text
    assert "seconds 1.5" in text
    assert "peak memory 100 MiB" in text


def test_the_scored_box_is_the_region_and_its_mirror_image(reported: SmallRun) -> None:
    boxes = [
        tuple(float(at[k]) * 512 for k in ("x", "y", "width", "height")) for at in page(reported, PLAIN).all("rect")
    ]
    front, back, spin = boxes[0], boxes[3], boxes[6]
    assert front == (128, 96, 200, 288)
    assert back == (183, 96, 200, 288)  # ⌊512 − (128.5 + 200)⌋
    assert spin == (0, 96, 512, 288)


def test_the_mean_error_is_zero_for_equal_pictures_and_the_share_of_the_disc_else(reported: SmallRun) -> None:
    assert "mean error 0.00 %" in page(reported, PLAIN).text
    inside = (disc(COLOUR)[..., 3] > 0).mean()
    difference = sum(abs(a - b) for a, b in zip(COLOUR, OTHER_COLOUR)) / 3 / 255
    assert f"mean error {100 * inside * difference:.2f} %" in page(reported, ODD).text


def test_pictures_show_the_run_on_white(reported: SmallRun) -> None:
    folder = report_folder(reported) / "pictures" / str(ODD)
    for side, colour in (("truth", COLOUR), ("ours", OTHER_COLOUR)):
        shown = read_picture(folder / f"{side}-ortho_front.webp", "RGB")
        assert shown.shape == (384, 384, 3)
        assert shown[5, 5].tolist() == [255, 255, 255]
        assert np.abs(shown[192, 192].astype(int) - colour).max() <= 4  # lossy; 2 measured


def model(small: SmallRun, item: object, name: str, *, shaded: bool) -> bytes:
    """The GLB in one of an item's model scripts."""
    script = (report_folder(small) / "models" / str(item) / f"{name}.js").read_text(encoding="utf-8")
    start = f'showModel({{ name: "{name}", shaded: {"true" if shaded else "false"}, packing: "gzip", base64: "'
    assert script.startswith(start)
    assert script.endswith('" });\n')
    return gzip.decompress(base64.b64decode(script[len(start) : -len('" });\n')], validate=True))


def test_the_viewer_gets_the_glb_unchanged(reported: SmallRun) -> None:
    assert model(reported, ODD, "ours", shaded=False) == reported.run.item(ODD).mesh.read_bytes()


@pytest.mark.parametrize(("name", "z"), [("distance", 0.0), ("truth", DISTANCE_METRES)])
def test_both_compared_surfaces_are_coloured_by_their_distance(
    reported: SmallRun, tmp_path: Path, name: str, z: float
) -> None:
    path = tmp_path / "model.glb"
    path.write_bytes(model(reported, PLAIN, name, shaded=True))
    mesh = read_mesh_file(path)
    np.testing.assert_allclose(mesh.verts[:, 2], z, atol=0.5 / 8192)  # rounded to 1/8192 m
    # The region of interest, in metres of the front picture: columns 128.5 to 328.5 and rows 96 to 384 of 512.
    low, high = mesh.verts.min(axis=0), mesh.verts.max(axis=0)
    np.testing.assert_allclose([low[0], high[0]], [-0.16, 0.08], atol=1e-3)
    np.testing.assert_allclose([low[1], high[1]], [-0.16, 0.2], atol=1e-3)
    # 5 of 20 mm: a quarter of the map, which runs along the legend from left to right.
    quarter = legend_picture(width=201)[0, 50]
    assert np.abs(mesh.colors[:, :3].astype(int) - quarter).max() <= 2


def test_the_turntable_is_an_endless_animation_of_a_turn(reported: SmallRun) -> None:
    from PIL import Image

    with Image.open(report_folder(reported) / "pictures" / str(PLAIN) / "turntable.webp") as picture:
        assert (picture.format, picture.n_frames, picture.info["loop"]) == ("WEBP", 24, 0)
        front = np.asarray(picture.convert("RGB"))
        picture.seek(6)
        edge_on = np.asarray(picture.convert("RGB"))
    assert np.abs(front[144, 144].astype(int) - COLOUR).max() <= 6  # lossy; 3 measured
    assert (front < 250).any(axis=2).sum() > 50 * (edge_on < 250).any(axis=2).sum()


# -- repeating --------------------------------------------------------------------------------------------------


def test_a_second_report_writes_nothing_again(reported: SmallRun) -> None:
    before = {path: path.stat().st_mtime_ns for path in report_folder(reported).rglob("*")}
    write_report(reported.run)
    assert {path: path.stat().st_mtime_ns for path in report_folder(reported).rglob("*")} == before


def test_the_same_run_elsewhere_gives_the_same_bytes_with_more_workers(reported: SmallRun, tmp_path: Path) -> None:
    copy = RunFolder(tmp_path / reported.run.path.name)
    shutil.copytree(reported.run.path, copy.path, ignore=shutil.ignore_patterns("report"))
    write_report(copy, workers=2)
    assert contents(copy.report.parent) == contents(report_folder(reported))


def test_only_the_files_of_a_changed_item_change(copy: SmallRun) -> None:
    before = contents(report_folder(copy))
    write_png(copy.run.item(ODD).render("ortho_front"), disc((0, 0, 255)))
    write_report(copy.run)
    after = contents(report_folder(copy))
    changed = {name for name in after if after[name] != before.get(name)}
    folder = f"pictures/{ODD}"
    assert changed == {
        f"items/{ODD}.html",  # its mean error
        *(f"{folder}/{name}" for name in ("made.json", "ours-ortho_front.webp", "error-of-ours-ortho_front.webp")),
    }


def test_pages_of_items_that_left_the_run_go(copy: SmallRun) -> None:
    write_report(copy.run)
    record = RunRecord.read(copy.run.record)
    replace(record, items=(str(PLAIN),)).write(copy.run.record)
    write_report(copy.run)
    assert sorted(name for name in contents(report_folder(copy)) if name.startswith(("items/", "models/"))) == [
        f"items/{PLAIN}.html",
        *(f"models/{PLAIN}/{name}" for name in ("albedo.glb", "distance.js", "ours.js", "truth.js")),
    ]


def test_a_damaged_picture_of_the_report_is_made_again(copy: SmallRun) -> None:
    before = contents(report_folder(copy))
    (report_folder(copy) / "pictures" / str(PLAIN) / "portrait.webp").write_bytes(b"torn")
    (report_folder(copy) / "pictures" / str(ODD) / "made.json").write_text(json.dumps({"other": 1}))
    write_report(copy.run)
    assert contents(report_folder(copy)) == before
