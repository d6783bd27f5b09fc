"""Reports of runs whose files were written by somebody else: odd tables, scores, records and pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from _exchange.run_record import ItemStatus, RunRecord
from _exchange.scores import Score, write_scores
from _measure.aggregate import plan_rows
from _measure.metrics.description import lpips_metric
from _measure.report.pages import fact_with_link, js_number, model_script, quoted_path
from _measure.report.records import ScoreTable
from _measure.report.scored import Scored, cells_of, read_scored
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
    "an infinite count": lambda value: value["rows"][0].update(n=float("inf")),
    "a count that is no number": lambda value: value["rows"][0].update(missing="many"),
    "an infinite number of items": lambda value: value.update(item_count=float("inf")),
    "rows that are an object": lambda value: value.update(rows={"a": 1}),
    "weights that are a list": lambda value: value.update(weights=[1]),
    "no versions": lambda value: value.pop("versions"),
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
        value.update(protocol=HOSTILE, sample_seed=HOSTILE, weights={HOSTILE: HOSTILE})
        value["rows"][0].update(subset=HOSTILE, metric=HOSTILE, shown=HOSTILE, better=HOSTILE, note=HOSTILE)

    change_table(copy, change)
    markup = Markup(write_report(copy.run))
    assert HOSTILE in markup.text
    assert not any("onerror" in attributes for _, attributes in markup.tags)
    assert not any("example.org" in at.get("src", "") for _, at in markup.tags)


def test_an_unknown_network_shows_its_name_and_no_scores_of_another(copy: SmallRun) -> None:
    change_table(copy, lambda value: value.update(lpips_network=HOSTILE))
    scored = read_scored(copy.run)
    assert scored.table.network == HOSTILE
    assert {plan.metric.id for plan in scored.plans} == {"psnr", "lpips_squeeze", "cd"}


@pytest.mark.parametrize(
    ("error", "shown", "text"),
    [(0.5, "1.25", "0.50"), (0.25, "3.4943E-02", "2.5000E-01"), (2, "inf", "2.000"), (None, "1.0", ""), ("x", "1", "")],
)
def test_a_standard_error_has_the_form_of_its_value(copy: SmallRun, error: object, shown: str, text: str) -> None:
    change_table(copy, lambda value: value["rows"][0].update(standard_error=error, shown=shown))
    assert read_scored(copy.run).table.rows[0].standard_error == text


def test_scores_of_strangers_and_undefined_ones_change_no_rank(copy: SmallRun) -> None:
    scores = [Score(str(PLAIN), "cd", "geom", 0.01), Score(str(ODD), "cd", "geom", float("nan"))]
    write_scores(copy.run.scores, [*scores, Score("not/listed", "cd", "geom", 0.0)])
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
    view = "geom" if metric == "cd" else "ortho_front"
    values = {(name, metric): {view: number} for name, number in zip("abxc", (1.0, 2.0, 2.0, 4.0))}
    cells = cells_of(Scored(ScoreTable("", "", 0, 0), (plan,), values, {}), "abxc")
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
    script = model_script("</script><script>alert(1)</script>", "gzip")
    assert "</script>" not in script
    assert script.startswith("showModel(")
