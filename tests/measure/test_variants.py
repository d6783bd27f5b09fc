"""Both protocols side by side, with and without pasted pixels, and what each switch changes alone."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import fields, replace
from pathlib import Path

import pytest

from _exchange.items import SCORED_CAMERAS
from _exchange.pictures import write_png
from _exchange.protocol import CORRECTED, PAPER, Protocol
from _exchange.run_folder import TABLE_FORMATS, RunFolder
from _exchange.run_record import RunRecord
from _measure.measure import MeasureConfig, MeasuredRun, measure_shard
from _measure.run import Unfinished
from _measure.scored_run import ScoredRun
from _measure.table import UNITS
from _measure.variants.side_by_side import NO_TWINS, VARIANTS, MeasuredVariants
from _measure.variants.switches import NOT_RECORDED, SWITCHES
from _measure.variants.tables import side_by_side, switch_table
from _measure.weights import FOLDERS_VARIABLE
from _scripts.measure import Measure
from _scripts.measure import run as run_verb
from tests.measure.report.small_run import ODD, PLAIN, SmallRun, copied, disc, make_run

pytestmark = pytest.mark.usefixtures("no_weights")
TWELVE = 12


def measured(small: SmallRun, **changes) -> MeasuredRun:
    answer = measure_shard(
        MeasureConfig(**({"path": small.run.path, "workers": 1, "offline": True} | changes)), with_variants=True
    )
    assert isinstance(answer, MeasuredRun)
    return answer


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[SmallRun, MeasuredRun]:
    """A run in AnimeRecon's layout, its record generated with `corrected`, and what measuring it answered."""
    made = make_run(tmp_path_factory.mktemp("plain"))
    replace(RunRecord.read(made.run.record), method="discs").write(made.run.record)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(FOLDERS_VARIABLE, raising=False)
        return made, measured(made)


@pytest.fixture
def small(known: tuple[SmallRun, MeasuredRun], tmp_path: Path) -> SmallRun:
    """A copy of the measured run, journal included."""
    return copied(known[0], tmp_path / "copy")


@pytest.fixture
def pasting(small: SmallRun) -> SmallRun:
    """With twins of another colour, which nobody has measured yet."""
    for item in (PLAIN, ODD):
        for camera in SCORED_CAMERAS:
            write_png(small.run.item(item).unpasted_render(camera), disc((10, 10, 10)))
    return small


def records(small: SmallRun, name: str) -> list[dict[str, str]]:
    with open(small.run.path / "variants" / f"{name}.csv", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


# -- switches ---------------------------------------------------------------------------------------------------


def test_every_field_of_the_protocol_is_a_switch_with_its_sentence() -> None:
    assert sorted(switch.field for switch in SWITCHES) == sorted({f.name for f in fields(Protocol)} - {"name"})
    for switch in SWITCHES:
        assert switch.sentence.endswith("."), switch.field
        assert (switch.paper, switch.corrected) == (getattr(PAPER, switch.field), getattr(CORRECTED, switch.field))
        assert {f.name for f in fields(Protocol) if getattr(switch.alone, f.name) != getattr(PAPER, f.name)} == {
            switch.field
        }


def test_what_a_run_has_of_switches_decided_before() -> None:
    by_field = {switch.field: switch for switch in SWITCHES}
    assert by_field["lattice"].value_in_run("paper", "corrected") == "sheared"
    assert by_field["lattice"].value_in_run("", "corrected") == NOT_RECORDED
    assert by_field["shading"].value_in_run("paper", "corrected") == "corrected"
    assert by_field["shading"].value_in_run("paper", "") == NOT_RECORDED


# -- whole runs -------------------------------------------------------------------------------------------------


def test_variants_are_whole_measured_runs(pasting: SmallRun) -> None:
    answer = measured(pasting)
    for variant in VARIANTS:
        scored = ScoredRun.read(pasting.run.variant(variant.name))
        assert (scored.protocol, scored.pictures) == (variant.protocol.name, variant.pictures)
        assert scored.generated_with == "corrected"
        assert all(pasting.run.variant(variant.name).table(name).is_file() for name in TABLE_FORMATS)
    corrected = pasting.run.variant("corrected")
    assert corrected.scores.read_bytes() == pasting.run.scores.read_bytes()
    assert corrected.table("json").read_bytes() == pasting.run.table("json").read_bytes()
    assert answer.table.protocol == "corrected"
    assert not pasting.run.variant("paper").measured.exists()
    # Side by side stand all rows of each.
    rows = records(pasting, "side_by_side")
    by_variant = {variant.name: [row for row in rows if row["variant"] == variant.name] for variant in VARIANTS}
    assert {len(rows) for rows in by_variant.values()} == {len(ScoredRun.read(pasting.run).rows)}
    psnr = {
        name: row["value"]
        for name, rows in by_variant.items()
        for row in rows
        if (row["subset"], row["metric"]) == ("front", "psnr")
    }
    assert psnr["paper"] == psnr["corrected"] == "inf"  # one item is drawn without any error
    assert psnr["paper-unpasted"] == psnr["corrected-unpasted"] != "inf"
    text = (pasting.run.path / "variants" / "side_by_side.txt").read_text()
    assert "paper-unpasted" in text
    assert NO_TWINS not in text


def test_a_table_of_variants_says_its_units_its_counts_and_what_its_rows_hide(known) -> None:
    text = (known[0].run.path / "variants" / "side_by_side.txt").read_text()
    assert f"\n{UNITS}\n" in text
    assert "\n3 items, complete: paper 2, corrected 2; what is missing stands below the variants' own tables\n" in text
    assert f"\npaper, geom f1@5: the last item alone ({ODD}), as published; mean over 2 items " in text
    assert f"\n{UNITS}\n" in (known[0].run.path / "variants" / "switches.txt").read_text()


def test_a_run_that_pastes_nothing_says_so(known) -> None:
    small, _ = known
    assert {row["variant"] for row in records(small, "side_by_side")} == {"paper", "corrected"}
    for name in TABLE_FORMATS:
        text = (small.run.path / "variants" / f"side_by_side.{name}").read_text()
        assert (NO_TWINS in text) == (name != "csv")
    assert not small.run.variant("paper-unpasted").path.exists()


def test_the_switch_table_has_twelve_rows_a_switch(known) -> None:
    small, _ = known
    rows = records(small, "switches")
    decided = [switch.field for switch in SWITCHES if switch.decided == "measuring"]
    assert [row["switch"] for row in rows] == [field for field in decided for _ in range(TWELVE)]
    lpips = [row for row in rows if row["switch"] == "lpips_range" and row["metric"] == "lpips"]
    assert {row["metric_id"] for row in lpips} == {"lpips_alex"}
    assert all("_scripts.download alexnet" in row["not_run"] and row["difference"] == "" for row in lpips)
    data = json.loads((small.run.path / "variants" / "switches.json").read_text())
    elsewhere = {entry["switch"]: entry["this_run"] for entry in data["elsewhere"]}
    assert elsewhere["lattice"] == "true"
    assert elsewhere["shading"] == "paper"  # AnimeRecon's pictures
    assert set(elsewhere) | set(decided) == {switch.field for switch in SWITCHES}
    text = (small.run.path / "variants" / "switches.txt").read_text()
    assert all(switch.sentence in text for switch in SWITCHES)
    for row in (row for row in rows if row["difference"] not in ("", "nan")):
        assert float(row["difference"]) == pytest.approx(float(row["corrected_alone"]) - float(row["paper"]), abs=1e-9)


def test_variants_are_found_in_the_journal_at_another_place_and_give_the_same_bytes(known, small: SmallRun) -> None:
    """A moved run with a moved dataset: no line is added, and no file says where it was made."""
    home = known[0].run.path

    def files(root: Path) -> dict[Path, bytes]:
        found = [root / "measured.jsonl", root / "scores.jsonl", *root.glob("table.*"), *root.glob("variants/**/*.*")]
        return {path.relative_to(root): path.read_bytes() for path in found}

    for path in (small.run.path / "variants").rglob("*.*"):
        path.unlink()
    measured(small)
    assert files(small.run.path) == files(home)


def test_a_shard_leaves_variants_for_the_last_one(small: SmallRun) -> None:
    shutil.rmtree(small.run.path / "variants")
    lines = small.run.measured.read_text().splitlines(keepends=True)
    small.run.measured.write_text("".join(line for line in lines if json.loads(line)["item"] != str(PLAIN)))
    config = MeasureConfig(path=small.run.path, workers=1, offline=True)
    assert isinstance(measure_shard(replace(config, shard="2/2"), with_variants=True), Unfinished)
    assert not (small.run.path / "variants").exists()
    assert isinstance(measure_shard(replace(config, shard="1/2"), with_variants=True), MeasuredRun)
    assert (small.run.path / "variants" / "switches.tex").is_file()


def test_the_verb_prints_the_tables_beside_one_another(small: SmallRun) -> None:
    out = small.run.path.parent / "elsewhere"
    outcome = run_verb(Measure(path=small.run.path, out=out, workers=1, offline=True, variants=True))
    assert outcome.text.startswith(f"run: {small.run.path}\nresults: {out}\n")
    assert "corrected alone" in outcome.text
    assert {"side_by_side", "switches"} <= outcome.data.keys()
    json.dumps(outcome.data, allow_nan=False)


def test_names_in_the_tables_cannot_leave_their_place(known) -> None:
    _, answer = known
    hostile = replace(answer.table, title="\\input{x}\n% <script>")
    beside = MeasuredVariants({"paper": hostile}, ((SWITCHES[0], hostile),), "", "")
    for table in (side_by_side(beside), switch_table(beside)):
        assert table.grid.header[0] == hostile.title  # the grid's writers escape it
        assert table.data["title"] == hostile.title


def test_paper_alone_may_be_asked_for(small: SmallRun) -> None:
    assert measured(small, protocol="paper").table.lpips_network == "alex"
    corrected = ScoredRun.read(RunFolder(small.run.path / "variants" / "corrected"))
    assert corrected.lpips_network == "squeeze"
