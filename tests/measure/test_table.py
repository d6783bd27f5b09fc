"""The exact published text and the five writers."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

import pytest

from _exchange.run_folder import TABLE_FORMATS, RunFolder
from _exchange.scores import Score
from _measure.aggregate import aggregate, plan_rows
from _measure.item_scores import Problem
from _measure.metrics.description import lpips_metric
from _measure.table import WRITERS, Table, paper_table_text, table_text, write_tables


def table(psnr: float = 9.5, **changes) -> Table:
    scores = [Score("a/one", "psnr", "ortho_front", psnr), Score("a/one", "cd", "geom", 0.01)]
    rows = aggregate(plan_rows(lpips_metric("squeeze"), "mean"), scores, ["a/one"], {"clip": "no encoder"})
    given = {"title": "inflate on own", "protocol": "corrected", "lpips_network": "squeeze", "sample_count": 10}
    return Table(items=("a/one",), rows=rows, **{**given, **changes})


def core_text(values: dict[tuple[str, str], float]) -> str:
    rows = aggregate(plan_rows(lpips_metric("alex"), "mean"), [], ["a/one"], {})
    filled = [
        replace(row, value=values.get((row.plan.subset, row.plan.label), 1.0), n=1) for row in rows if row.plan.is_core
    ]
    return paper_table_text(filled)


def test_published_text_with_small_values() -> None:
    """With nothing above 9.999 the value column is five wide, as the word itself."""
    lines = core_text({}).split("\n")
    assert lines[0] == " subset metric value "
    assert lines[1] == "=" * 21
    assert lines[2] == " front  clip   1.000 "
    assert lines[-2] == " geom   f1@10  1.000 "
    assert lines[-1] == ""
    assert len(lines) == 15


def test_published_text_widens_with_its_longest_value() -> None:
    lines = core_text({("geom", "f1@10"): 100.0}).split("\n")
    assert lines[0] == " subset metric   value "
    assert lines[1] == "=" * 23
    assert lines[2] == " front  clip     1.000 "
    assert lines[13] == " geom   f1@10  100.000 "


def test_text_says_protocol_network_counts_and_reasons() -> None:
    problems = tuple(Problem("a/one", view, "gone") for view in ("v1", "v2", "v3", "v4"))
    text = table_text(table(problems=problems, versions={"numpy": "2"}, weights={"net.npz": "ab" * 32}))
    assert "protocol corrected, 1 items, 0 complete" in text
    assert "LPIPS v0.1 through squeeze" in text
    assert "net.npz (SHA-256 abababababab…)" in text
    assert "versions numpy 2" in text
    lines = {tuple(line.split()[:2]): line.split() for line in text.split("\n") if line.startswith(" ")}
    assert lines["front", "clip"][2:4] == ["not", "run"]
    assert lines["front", "psnr"] == ["front", "psnr", "9.500", "1", "0", "higher"]
    assert lines["front", "lpips"][2:] == ["(squeeze)", "–", "0", "1", "lower"]
    assert lines["all", "chamfer"][2] == "1.0000"
    assert "clip not run: no encoder" in text
    assert text.count("clip not run") == 1
    assert "missing a/one v3: gone" in text
    assert "missing a/one: and 1 more" in text


def test_text_says_what_is_out_of_the_ordinary_and_nothing_else() -> None:
    plain = table_text(table(generated_with="corrected"))
    assert "protocol corrected, 1 items, 1 complete\n" in plain
    assert "LPIPS v0.1 through squeeze; 10 samples" in plain
    odd = table_text(table(generated_with="paper", pictures="unpasted", device="cuda:0"))
    made = "reconstructions made under paper, pictures without pasted pixels"
    assert f"protocol corrected, 1 items, 1 complete, {made}\n" in odd
    assert "LPIPS v0.1 through squeeze on cuda:0; 10 samples" in odd


def test_csv_has_all_digits_and_one_record_per_row() -> None:
    records = list(csv.DictReader(io.StringIO(WRITERS["csv"](table(psnr=1 / 3)))))
    by_row = {(record["subset"], record["metric"]): record for record in records}
    assert len(records) == 17
    assert float(by_row["front", "psnr"]["value"]) == 1 / 3
    assert by_row["front", "clip"]["value"] == ""
    assert by_row["front", "clip"]["not_run"] == "no encoder"


@pytest.mark.parametrize(("value", "stored"), [(math.inf, "inf"), (-math.inf, "-inf"), (math.nan, "nan"), (2.5, 2.5)])
def test_json_is_strict_and_keeps_infinities(value: float, stored: object) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    data = json.loads(WRITERS["json"](table(psnr=value)), parse_constant=refuse)
    rows = {(row["subset"], row["metric"]): row for row in data["rows"]}
    assert rows["front", "psnr"]["value"] == stored
    assert rows["front", "clip"]["value"] is None
    assert (data["protocol"], data["item_count"], data["schema"]) == ("corrected", 1, 2)


def test_markdown_cells_line_up() -> None:
    lines = [line for line in WRITERS["md"](table()).split("\n") if line.startswith("|")]
    assert len(lines) == 19
    assert {line.count("|") for line in lines} == {9}


def test_latex_is_escaped() -> None:
    text = WRITERS["tex"](table())
    body = [line for line in text.split("\n") if line.endswith(r"\\")]
    assert len(body) == 18
    assert all(line.count("&") == 7 for line in body)
    assert "–" not in "\n".join(body)
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1


def test_the_interval_stands_in_every_format() -> None:
    """Two items, 1 and 3 cm: each end of the interval has a quarter of all resamples."""
    items = ("a/one", "a/two")
    scores = [Score("a/one", "cd", "geom", 0.01), Score("a/two", "cd", "geom", 0.03)]
    two = Table("t", "paper", "alex", items, aggregate(plan_rows(lpips_metric("alex"), "last"), scores, items, {}))
    cells = ["geom", "cd", "2.000", "1.000", "1.000", "to", "3.000", "2", "0", "lower"]
    assert cells in [line.split() for line in WRITERS["txt"](two).split("\n")]
    assert "| geom | cd | 2.000 | 1.000 | 1.000 to 3.000 | 2 | 0 | lower |" in WRITERS["md"](two)
    assert r"geom & cd & 2.000 & 1.000 & 1.000 to 3.000 & 2 & 0 & lower \\" in WRITERS["tex"](two)
    assert r"subset & metric & value & $\pm$ s.e. & 95 \% interval & n & missing & better \\" in WRITERS["tex"](two)
    record = next(r for r in csv.DictReader(io.StringIO(WRITERS["csv"](two))) if r["metric"] == "cd")
    assert (float(record["low"]), float(record["high"])) == pytest.approx((1.0, 3.0))
    rows = {(row["subset"], row["metric"]): row for row in json.loads(WRITERS["json"](two))["rows"]}
    assert (rows["all", "chamfer"]["low"], rows["all", "chamfer"]["high"]) == pytest.approx((1.0, 3.0))
    assert (rows["front", "psnr"]["low"], rows["front", "psnr"]["high"]) == (None, None)


def test_all_formats_are_written(tmp_path) -> None:
    run = RunFolder(tmp_path)
    write_tables(run, table())
    assert set(WRITERS) == set(TABLE_FORMATS)
    for name in TABLE_FORMATS:
        assert run.table(name).read_text(encoding="utf-8") == WRITERS[name](table())
