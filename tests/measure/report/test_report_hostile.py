"""Reports of runs whose files were written by somebody else: odd tables, scores, records and pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from _exchange.run_record import ItemStatus, RunRecord
from _exchange.scores import Score, write_scores
from _measure.aggregate import Row, plan_rows
from _measure.metrics.description import lpips_metric
from _measure.report.pages import fact_with_link, js_number, model_script, quoted_path
from _measure.report.scored import Scored, cells_of, read_scored, table_row
from _measure.report.write import write_report
from tests.measure.report.markup import Markup
from tests.measure.report.small_run import FAILED, ITEMS, ODD, PLAIN, SmallRun

HOSTILE = '"><img src=//example.org onerror=alert(1)>'


def change_table(small: SmallRun, change: Callable[[dict[str, Any]], object]) -> None:
    value = json.loads(small.run.table("json").read_text())
    change(value)
    small.run.table("json").write_text(json.dumps(value))


# -- tables -----------------------------------------------------------------------------------------------------

CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a problem without its view": lambda value: value["problems"][0].pop("view"),
    "a problem without its reason": lambda value: value["problems"][0].pop("reason"),
    "problems that are numbers": lambda value: value.update(problems=3),
    "problems that are texts": lambda value: value.update(problems=["gone"]),
    "an infinite number of samples": lambda value: value.update(sample_count=float("inf")),
    "rows that are an object": lambda value: value.update(rows={"a": 1}),
    "weights that are a list": lambda value: value.update(weights=[1]),
    "no versions": lambda value: value.pop("versions"),
    "an unknown network": lambda value: value.update(lpips_network=HOSTILE),
    "items that are a number": lambda value: value.update(items=12),
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_odd_table_is_a_notice_and_no_crash(copy: SmallRun, name: str) -> None:
    change_table(copy, CHANGES[name])
    scored = read_scored(copy.run)
    assert len(scored.notices) == 1
    assert scored.notices[0].startswith("The scores cannot be read: table.json: ")
    assert scored.notices[0].endswith("Run python3 -m _scripts.measure again.")


def test_hostile_texts_of_the_table_make_no_element(copy: SmallRun) -> None:
    def change(value: dict[str, Any]) -> None:
        value.update(sample_seed=HOSTILE, weights={HOSTILE: HOSTILE}, dataset=HOSTILE, device=HOSTILE)
        value["rows"][0].update(not_run=HOSTILE)

    change_table(copy, change)
    markup = Markup(write_report(copy.run))
    assert markup.text.count(HOSTILE) >= 4
    assert not any("onerror" in attributes for _, attributes in markup.tags)
    assert not any("example.org" in at.get("src", "") for _, at in markup.tags)


def test_rows_come_from_the_scores_and_not_from_the_table_beside_them(copy: SmallRun) -> None:
    def change(value: dict[str, Any]) -> None:
        for row in value["rows"]:
            row.update(value=99.0, shown="99.000", n=7)

    change_table(copy, change)
    rows = {(row.subset, row.metric): row for row in read_scored(copy.run).table.rows}
    assert rows["geom", "cd"].value == "2.000"  # mean of 1 and 3 cm
    assert rows["geom", "cd"].n == 2


@pytest.mark.parametrize(
    ("error", "interval", "form", "texts"),
    [
        (0.5, (1.0, 2.0), ".2f", ("0.50", "1.00 … 2.00")),
        (0.25, (0.03, 0.04), ".4E", ("2.5000E-01", "3.0000E-02 … 4.0000E-02")),
        (math.nan, (math.nan, math.nan), ".3f", ("", "")),
        (0.5, (1.0, math.inf), ".3f", ("0.500", "")),
    ],
)
def test_errors_and_intervals_have_the_form_of_their_value(
    error: float, interval: tuple[float, float], form: str, texts: tuple[str, str]
) -> None:
    plan = replace(plan_rows(lpips_metric("squeeze"), "mean")[0], form=form)
    shown = table_row(Row(plan, 1.25, error, 2, 1, low=interval[0], high=interval[1]))
    assert (shown.standard_error, shown.interval) == texts


def test_scores_of_strangers_are_a_notice(copy: SmallRun) -> None:
    write_scores(copy.run.scores, [Score("not/listed", "cd", "geom", 0.0)])
    (notice,) = read_scored(copy.run).notices
    assert notice.startswith("The scores cannot be read: scores.jsonl")
    assert "not/listed" in notice


def test_undefined_scores_have_no_rank_and_change_none(copy: SmallRun) -> None:
    scores = [Score(str(PLAIN), "cd", "geom", 0.01), Score(str(ODD), "cd", "geom", float("nan"))]
    write_scores(copy.run.scores, scores)
    scored = read_scored(copy.run)
    cells = cells_of(scored, [str(item) for item in ITEMS])
    place = [(plan.subset, plan.label) for plan in scored.plans].index(("geom", "cd"))
    plain, odd, lost = (cells[str(item)][place] for item in ITEMS)
    assert (plain.text, plain.number, plain.rank) == ("1.000", 1.0, None)  # alone: nothing to compare with
    assert (odd.text, odd.number, odd.rank) == ("nan", None, None)
    assert lost.text == "–"


@pytest.mark.parametrize(("metric", "best"), [("cd", "a"), ("psnr", "c")])
def test_ranks_run_from_the_best_to_the_worst_and_equals_share(metric: str, best: str) -> None:
    plan = next(plan for plan in plan_rows(lpips_metric("squeeze"), "mean") if plan.metric.id == metric)
    cells = cells_of(Scored(plans=(plan,), rows=(dict(zip("abxc", (1.0, 2.0, 2.0, 4.0))),)), "abxc")
    ranks = {name: cell[0].rank for name, cell in cells.items()}
    assert ranks[best] == 0
    assert max(ranks.values()) == 1
    assert ranks["b"] == ranks["x"] == pytest.approx(1 / 3)


# -- records ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("root", ["\0", "", "../../.."])
def test_a_data_folder_that_is_none_is_said(copy: SmallRun, root: str) -> None:
    replace(RunRecord.read(copy.run.record), data_root=root, items=(str(FAILED),)).write(copy.run.record)
    assert "The dataset of this run is not there" in Markup(write_report(copy.run)).text


@pytest.mark.parametrize("reason", [HOSTILE, "</title><script>alert(1)</script>", "{{ 7 * 7 }}", "\u202egnp.exe", "\0"])
def test_reasons_are_shown_as_they_are(copy: SmallRun, reason: str) -> None:
    ItemStatus("failed", reason).write(copy.run.item(FAILED).status)
    replace(RunRecord.read(copy.run.record), items=(str(FAILED),)).write(copy.run.record)
    markup = Markup(write_report(copy.run))
    assert " ".join(reason.split()).replace("\0", "") in markup.text.replace("\0", "").replace("\ufffd", "")
    assert all(script.get("src") for script in markup.all("script"))


# -- parts of pages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:x",
        "data:text/html,x",
        "ftp://a",
        "see https://a.org",
        "https://a.org b",
        "//a",
    ],
)
def test_only_whole_web_addresses_become_links(value: str) -> None:
    assert fact_with_link("reference", value).link == ""
    assert fact_with_link("reference", "https://a.org/b?c=d&e#f").link == "https://a.org/b?c=d&e#f"


def test_paths_are_quoted_for_links() -> None:
    assert quoted_path("items/a b/#?%\"'<é.html") == "items/a%20b/%23%3F%25%22%27%3C%C3%A9.html"


@pytest.mark.parametrize(("value", "text"), [(float("inf"), "Infinity"), (float("-inf"), "-Infinity"), (0.1, "0.1")])
def test_numbers_are_javascripts(value: float, text: str) -> None:
    assert js_number(value) == text


def test_a_model_script_cannot_be_closed_by_its_content() -> None:
    script = model_script("</script>", "</script><script>alert(1)</script>", shaded=False)
    assert "</script>" not in script
    assert script.startswith("showModel(")
