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

from _exchange.pictures import read_picture
from _measure.report.write import write_report
from tests.measure.report.small_run import COLOUR, FAILED, ODD, PLAIN, SmallRun, make_run

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
    index = write_report(small.run)
    pictures = tmp_path_factory.mktemp("pictures")
    command = ["node", PROBE, chromium, index, index.parent / "items" / f"{PLAIN}.html", pictures]
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
    assert visit.seen["brokenOnIndex"] == []
    assert visit.seen["brokenOnItem"] == []


def test_the_viewer_shows_the_vertex_colours_of_the_glb(visit: Visit) -> None:
    assert visit.seen["state"] == "drawn"
    front = visit.canvas("front")
    height, width, _ = front.shape
    centre = front[height // 2 - 20 : height // 2 + 20, width // 2 - 20 : width // 2 + 20].reshape(-1, 3)
    # Stored as linear 16-bit values and encoded again in the shader: one step of 255 for the rounding.
    assert np.abs(centre.astype(int) - COLOUR).max() <= 1
    assert front[3, 3].tolist() == [255, 255, 255]


def test_the_keyboard_turns_the_model(visit: Visit) -> None:
    def drawn(name: str) -> int:
        return int((np.abs(visit.canvas(name).astype(int) - COLOUR).max(axis=2) <= 1).sum())

    # Six presses of 0.15 radian: the tile is seen under 0.9 radian, cos 0.9 = 0.62 as wide (perspective adds a little).
    assert 0.5 < drawn("turned") / drawn("front") < 0.75


def test_the_shape_is_shown_without_colours(visit: Visit) -> None:
    shape = visit.canvas("shape")
    centre = shape[shape.shape[0] // 2, shape.shape[1] // 2].astype(int)
    assert centre.max() - centre.min() < 30
    assert centre.max() < 250


def test_the_download_is_the_glb_of_the_run(visit: Visit) -> None:
    assert (visit.pictures / "downloaded.glb").read_bytes() == visit.small.run.item(PLAIN).mesh.read_bytes()


def test_a_column_sorts_best_first_then_worst_first_with_absent_values_last(visit: Visit) -> None:
    assert visit.seen["bestFirst"] == [str(PLAIN), str(ODD), str(FAILED)]
    assert visit.seen["worstFirst"] == [str(ODD), str(PLAIN), str(FAILED)]


def test_the_filter_leaves_the_characters_whose_name_holds_the_text(visit: Visit) -> None:
    assert visit.seen["filtered"] == [str(PLAIN)]


def test_the_slider_shows_the_view_from_that_side(visit: Visit) -> None:
    assert visit.seen["around"] == "90°"
    assert visit.seen["shown"] == "ours-rgb60_0045.webp"


def test_a_key_leads_to_the_next_character(visit: Visit) -> None:
    assert visit.seen["next"] == f"{ODD} · {visit.small.run.path.name}"
