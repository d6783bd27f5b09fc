"""The report in a real browser: headless Chromium opens it from the disk, without a server and without a network."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from _exchange import atomic
from _exchange.items import SCORED_CAMERAS
from _exchange.pictures import png_bytes, read_picture
from _exchange.run_folder import RunFolder
from _measure.report.colour_map import legend_picture
from _measure.report.many import write_many
from _measure.report.write import write_report
from tests.measure.report.small_run import COLOUR, FAILED, ODD, OTHER_COLOUR, PLAIN, SmallRun, disc, make_run

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = REPOSITORY / "_env"
PROBE = Path(__file__).with_name("report_probe.js")


@dataclass(frozen=True)
class Visit:
    """What the browser saw."""

    small: SmallRun
    seen: dict[str, Any]
    pictures: Path

    def canvas(self, name: str) -> np.ndarray:
        return read_picture(self.pictures / f"{name}.png", "RGB")


def browser() -> str:
    """Path of Chromium, or a skip that names what is missing."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no chromium on this machine")
    if shutil.which("node") is None:
        pytest.skip("there is no node on this machine")
    resolve = ["node", "-e", "require.resolve('playwright-core', { paths: [process.cwd()] })"]
    if subprocess.run(resolve, cwd=TOOLS, capture_output=True, check=False).returncode:
        pytest.skip("playwright-core is not installed: npm install --prefix _env")
    return chromium


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    chromium = browser()
    small = make_run(tmp_path_factory.mktemp("visited"))
    for camera in SCORED_CAMERAS:
        atomic.write_bytes(small.run.item(PLAIN).unpasted_render(camera), png_bytes(disc(OTHER_COLOUR)))
    index = write_report(small.run)
    other = RunFolder(small.run.path.with_name("other"))
    shutil.copytree(small.run.path, other.path)
    many = write_many([small.run, other], small.run.path.with_name("both"))
    pictures = tmp_path_factory.mktemp("pictures")
    command = ["node", PROBE, chromium, index, index.parent / "items" / f"{PLAIN}.html", many, pictures]
    result = subprocess.run(command, cwd=TOOLS, capture_output=True, text=True, check=False, timeout=180)
    assert result.returncode == 0, result.stderr[-3000:]
    return Visit(small, json.loads(result.stdout), pictures)


def test_pages_load_without_messages_errors_dialogs_or_requests(visit: Visit) -> None:
    assert {name: visit.seen[name] for name in ("console", "errors", "requests", "dialogs")} == {
        "console": [],
        "errors": [],
        "requests": [],
        "dialogs": [],
    }


def test_every_picture_is_decoded(visit: Visit) -> None:
    assert visit.seen["index"]["broken"] == []
    assert visit.seen["item"]["broken"] == []


# -- the viewer -------------------------------------------------------------------------------------------------


def centre_of(picture: np.ndarray) -> np.ndarray:
    height, width, _ = picture.shape
    return picture[height // 2 - 20 : height // 2 + 20, width // 2 - 20 : width // 2 + 20].reshape(-1, 3).astype(int)


def test_the_viewer_shows_the_vertex_colours_of_the_glb(visit: Visit) -> None:
    assert visit.seen["item"]["state"] == "drawn"
    front = visit.canvas("front")
    # Stored as linear 16-bit values and encoded again in the shader: one step of 255 for the rounding.
    assert np.abs(centre_of(front) - COLOUR).max() <= 1
    assert front[3, 3].tolist() == [255, 255, 255]


def test_the_keyboard_turns_the_model(visit: Visit) -> None:
    def drawn(name: str) -> int:
        return int((np.abs(visit.canvas(name).astype(int) - COLOUR).max(axis=2) <= 1).sum())

    # Six presses of 0.15 radian: the tile is seen under 0.9 radian, cos 0.9 = 0.62 as wide (perspective adds a little).
    assert 0.5 < drawn("turned") / drawn("front") < 0.75


def test_the_shape_is_shown_without_colours(visit: Visit) -> None:
    centre = centre_of(visit.canvas("shape"))
    assert (centre.max(axis=1) - centre.min(axis=1)).max() < 30
    assert centre.max() < 250


@pytest.mark.parametrize("name", ["distance", "truth"])
def test_distances_are_shown_in_the_colours_of_their_legend(visit: Visit, name: str) -> None:
    shown = visit.seen["item"]["models"][name]
    assert shown["legend"] is True
    assert "distance to the" in shown["hint"]
    centre = centre_of(visit.canvas(name))
    assert centre.std(axis=0).max() < 6  # one distance everywhere, shaded a little
    quarter = legend_picture(width=201)[0, 50].astype(int)  # 5 of 20 mm
    # Shading darkens by at most 55 % and keeps the hue: the order and the ratios of the channels.
    factor = centre.mean(axis=0) / quarter
    assert factor.min() >= 0.45
    assert factor.max() <= 1.01
    assert factor.max() - factor.min() < 0.03


def test_the_download_is_the_glb_of_the_run_also_without_javascript(visit: Visit) -> None:
    assert (visit.pictures / "downloaded.glb").read_bytes() == visit.small.run.item(PLAIN).mesh.read_bytes()


# -- sorting, searching, leafing --------------------------------------------------------------------------------


def test_a_column_sorts_by_keyboard_best_first_then_worst_first_with_absent_values_last(visit: Visit) -> None:
    assert visit.seen["index"]["bestFirst"] == [str(PLAIN), str(ODD), str(FAILED)]
    assert visit.seen["index"]["worstFirst"] == [str(ODD), str(PLAIN), str(FAILED)]


def test_the_cards_follow_the_order_of_the_table_and_go_back_to_the_list(visit: Visit) -> None:
    assert visit.seen["index"]["cardsWorstFirst"] == [str(ODD), str(PLAIN), str(FAILED)]
    assert visit.seen["index"]["cardsBestFirst"] == [str(PLAIN), str(ODD), str(FAILED)]
    assert visit.seen["index"]["asListed"] == [str(PLAIN), str(ODD), str(FAILED)]


def test_what_has_the_focus_shows_it(visit: Visit) -> None:
    assert visit.seen["index"]["outline"] == "solid"


def test_the_search_leaves_the_characters_whose_name_holds_the_text(visit: Visit) -> None:
    assert visit.seen["index"]["filtered"] == [str(PLAIN)]
    assert visit.seen["index"]["rows"] == [str(PLAIN)]
    assert visit.seen["index"]["none"] is True


def test_the_slider_shows_the_view_from_that_side_with_or_without_pasted_pixels(visit: Visit) -> None:
    assert visit.seen["item"]["around"] == "90°"
    assert visit.seen["item"]["pasted"] == "ours-rgb60_0045.webp"
    assert visit.seen["item"]["unpasted"] == "unpasted-rgb60_0045.webp"
    assert visit.seen["item"]["visible"] == ["without"]


def test_keys_lead_to_the_next_character_and_to_the_better_one(visit: Visit) -> None:
    run = visit.small.run.path.name
    assert visit.seen["item"]["next"] == f"{ODD} · {run}"
    assert visit.seen["item"]["better"] == f"{PLAIN} · {run}"


# -- widths, colour schemes, no JavaScript ----------------------------------------------------------------------


def test_pages_fit_a_phone_and_a_desk_in_light_and_dark(visit: Visit) -> None:
    assert len(visit.seen["sizes"]) == 12
    for look in visit.seen["sizes"]:
        assert look["wide"] <= 0, look["name"]
        assert look["broken"] == [], look["name"]
        assert look["dark"] == (look["colorScheme"] == "dark"), look["name"]


def test_tables_of_rows_never_scroll_sideways(visit: Visit) -> None:
    assert {look["name"]: look["sideways"] for look in visit.seen["sizes"] if look["sideways"]} == {}


def test_every_text_stands_out_from_what_is_behind_it(visit: Visit) -> None:
    """WCAG 2.2, success criterion 1.4.3: a contrast of at least 4.5."""
    assert {look["name"]: look["weak"] for look in visit.seen["sizes"] if look["weak"]} == {}


def test_pictures_have_descriptions_and_fields_have_labels(visit: Visit) -> None:
    assert [look["bare"] for look in visit.seen["sizes"]] == [[]] * 12


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_model_is_drawn_at_every_width(visit: Visit, width: int, scheme: str) -> None:
    assert np.abs(centre_of(visit.canvas(f"canvas-{width}-{scheme}")) - COLOUR).max() <= 1


def test_tables_and_the_paste_switch_work_without_javascript(visit: Visit) -> None:
    expected = {"table": True, "scores": 3, "tools": 0, "unpasted": True, "pasted": False, "download": "albedo.glb"}
    assert visit.seen["withoutScript"] == expected
