"""The registry of published numbers: its content against the specification, its form against damage."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from _exchange.errors import FormatError, InputError
from _measure.published import PUBLISHED_JSON, Published
from tests.measure.published_runs import CARDS, FLOORS, published_column

SPEC = Path(__file__).resolve().parents[3] / "shared" / "spec" / "published.json"
EXAMPLE = "panic-3d/animerecon/geom/cd/rtx-3080-ti"


@pytest.fixture(scope="module")
def published() -> Published:
    return Published.read()


@pytest.fixture
def whole() -> dict:
    return json.loads(PUBLISHED_JSON.read_text(encoding="utf-8"))


def damaged(tmp_path: Path, value: object) -> Path:
    path = tmp_path / "published.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


# -- content ----------------------------------------------------------------------------------------------------


def test_every_number_of_the_specification_is_there_once(published: Published) -> None:
    if not SPEC.is_file():
        pytest.skip("the specification's published.json is absent")
    given = json.loads(SPEC.read_text(encoding="utf-8"))
    ours = {record.id: record for record in published.records}
    for record in given["records"]:
        parts = record["id"].split("/")
        complete = all(parts)
        same = (
            [ours[record["id"]]]
            if complete
            else [r for r in ours.values() if r.method == record["method"] and _is_filled(r.id, parts)]
        )
        assert len(same) == 1, record["id"]
        number = same[0].number
        expected = record["value"]
        if isinstance(expected, str):
            expected = float(expected.split()[0])
        assert number == (sum(expected) / 2 if isinstance(expected, list) else expected)
        assert same[0].direction == ("higher" if record["higher_is_better"] else "lower")
        assert same[0].source == record["source"]
    missing = {entry["work"] for entry in given["not_obtained"]} - {entry.work for entry in published.not_obtained}
    assert not missing


def _is_filled(record_id: str, parts: list[str]) -> bool:
    filled = record_id.split("/")
    return len(filled) == len(parts) and all(not given or given == ours for given, ours in zip(parts, filled))


def test_ids_are_unique_and_have_no_empty_part(published: Published) -> None:
    ids = [record.id for record in published.records]
    assert len(set(ids)) == len(ids)
    assert all(all(part.strip() == part and part for part in record_id.split("/")) for record_id in ids)


def test_the_twelve_rows_have_two_columns_and_the_floors_as_tolerances(published: Published) -> None:
    rows = published.rows()
    assert [(row.first.subset, row.first.metric) for row in rows] == list(published_column(CARDS[0]))
    for row in rows:
        assert tuple(record.hardware for record in row.columns) == CARDS
        tolerance = published.tolerance(row)
        assert tolerance.value == FLOORS[row.first.metric]
        assert tolerance.value > row.spread
        assert row.first.evidence == "code"


def test_animerecon_is_the_set_of_68_items(published: Published) -> None:
    record = published.by_id(EXAMPLE)
    assert published.datasets[record.dataset].renderset == "daredemoE"
    assert published.datasets[record.dataset].items == 68
    assert published.protocols[record.protocol].measured_as == "paper"
    assert len(published.of(record.dataset, record.protocol)) == 24


def test_the_first_readmes_two_numbers_stay_as_not_comparable(published: Published) -> None:
    template = [record for record in published.records if "24 March 2023" in record.source]
    assert [(record.metric, record.state) for record in template] == [
        ("lpips", "not comparable"),
        ("chamfer", "not comparable"),
    ]
    assert all("EISAI" in record.method and record.dataset == "ATD-12k test" for record in template)
    assert "exponent lost" in template[1].notes


def test_what_people_judged_and_what_others_repeated_is_never_checkable(published: Published) -> None:
    for record in published.records:
        if any(word in record.metric for word in ("user study", "user preference", "voted", "recognised by people")):
            assert record.state == "human study", record.id
        elif record.evidence in ("re-report", "secondary"):
            assert record.state in ("re-report", "not comparable"), record.id


@pytest.mark.parametrize(
    ("method", "protocol", "count"),
    [
        ("CoNR", "conr", 18),
        ("Toon3D", "toon3d", 10),
        ("Sketch-A-Shape", "sketch_classifier", 4),
        ("NOVA-3D", "nova3d", 3),
    ],
)
def test_checkable_numbers_of_other_systems_joined(
    published: Published, method: str, protocol: str, count: int
) -> None:
    records = [record for record in published.records if (record.method, record.protocol) == (method, protocol)]
    assert len(records) == count
    assert {record.state for record in records} == {"checkable"}
    assert all(record.source and record.evidence == "paper" for record in records)


def test_every_record_without_a_tolerance_says_why(published: Published) -> None:
    assert all(record.tolerance_why for record in published.records if record.tolerance is None)


def test_run_times_keep_their_range(published: Published) -> None:
    ranges = {record.shown for record in published.records if isinstance(record.value, tuple)}
    assert ranges == {"2–3", "1–2", "5–10"}


def test_an_unknown_id_is_refused(published: Published) -> None:
    with pytest.raises(InputError, match="nobody/printed/this"):
        published.by_id("nobody/printed/this")


# -- form -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("value", "1.3", ".value"),
        ("value", True, ".value"),
        ("value", None, ".value"),
        ("value", float("nan"), ".value"),
        ("value", 10**400, ".value"),
        ("value", [], ".value"),
        ("value", [1, 2, 3], ".value"),
        ("value", [3, 2], ".value"),
        ("value", [1, "x"], ".value"),
        ("tolerance", -0.1, ".tolerance"),
        ("tolerance", "wide", ".tolerance"),
        ("tolerance", float("inf"), ".tolerance"),
        ("state", "fine", ".state"),
        ("evidence", "[code]", ".evidence"),
        ("direction", "up", ".direction"),
        ("dataset", "Nowhere", ".dataset"),
        ("protocol", "none such", ".protocol"),
        ("hardware", 3080, ".hardware"),
        ("hardware", " ", ".hardware"),
        ("method", "", ".method"),
        ("notes", None, ".notes"),
        ("extra", 1, ".extra"),
    ],
)
def test_a_wrong_field_is_named_with_its_record(
    tmp_path: Path, whole: dict, field: str, value: object, place: str
) -> None:
    record = next(record for record in whole["records"] if record["id"] == EXAMPLE)
    record[field] = value
    with pytest.raises(FormatError) as error:
        Published.read(damaged(tmp_path, whole))
    assert EXAMPLE in error.value.place
    assert error.value.place.endswith(place)
    assert error.value.file is not None


@pytest.mark.parametrize("field", ["id", "value", "tolerance_why", "hardware"])
def test_a_missing_field_is_named(tmp_path: Path, whole: dict, field: str) -> None:
    del whole["records"][3][field]
    with pytest.raises(FormatError) as error:
        Published.read(damaged(tmp_path, whole))
    assert error.value.place.startswith("records[3]")
    assert error.value.place.endswith(field)


def test_an_id_that_stands_twice_is_refused(tmp_path: Path, whole: dict) -> None:
    whole["records"].append(copy.deepcopy(whole["records"][0]))
    with pytest.raises(FormatError, match="second"):
        Published.read(damaged(tmp_path, whole))


def test_a_row_that_is_judged_needs_a_tolerance(tmp_path: Path, whole: dict) -> None:
    del whole["protocols"]["panic3d"]["tolerance_floor"]["cd"]
    with pytest.raises(FormatError, match="tolerance"):
        Published.read(damaged(tmp_path, whole))


def test_a_row_that_is_judged_is_one_number(tmp_path: Path, whole: dict) -> None:
    next(record for record in whole["records"] if record["id"] == EXAMPLE)["value"] = [1.2, 1.4]
    with pytest.raises(FormatError, match=r"cd/rtx-3080-ti\.value"):
        Published.read(damaged(tmp_path, whole))


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("schema", 2),
        ("about", ""),
        ("datasets", []),
        ("datasets", {"AnimeRecon": {"renderset": "daredemoE", "items": 0, "notes": ""}}),
        ("datasets", {"AnimeRecon": {"renderset": "daredemoE", "items": True, "notes": ""}}),
        ("protocols", {"panic3d": "a sentence"}),
        ("protocols", {"panic3d": {"text": "x", "measured_as": "best", "networks": {}, "tolerance_floor": {}}}),
        ("protocols", {"panic3d": {"text": "x", "measured_as": "", "networks": {"clip": 1}, "tolerance_floor": {}}}),
        ("protocols", {"panic3d": {"text": "x", "measured_as": "", "networks": {}, "tolerance_floor": {"cd": -1}}}),
        ("records", {}),
        ("records", [17]),
        ("not_obtained", [{"work": "x", "tables": "all", "why": "y"}]),
        ("more", {}),
    ],
)
def test_a_wrong_section_is_refused(tmp_path: Path, whole: dict, section: str, value: object) -> None:
    whole[section] = value
    with pytest.raises(FormatError):
        Published.read(damaged(tmp_path, whole))


def test_text_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "published.json").write_text("{")
    with pytest.raises(FormatError):
        Published.read(tmp_path / "published.json")
    with pytest.raises(InputError):
        Published.read(tmp_path / "absent.json")
