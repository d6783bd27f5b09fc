"""Published numbers have one home: methods cite ids, and no source types a number again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from _measure.published import Published
from _methods import registry

REPOSITORY = Path(__file__).resolve().parents[2]
HOME = REPOSITORY / "_measure" / "published.json"
ROOMS = ("_exchange", "_render", "_databacks", "_methods", "_measure", "_train", "_scripts", "torch_utils", "training")
PLACES = (*ROOMS, "make", "docker", "_env")
"""Not the tests, whose expected values are literal."""
SUFFIXES = {".py", ".md", ".json", ".j2", ".js", ".html", ".css", ".sh", ".toml", ".yaml", ".yml", ".txt", ".tex", ""}
LARGEST_BYTES = 2**18


def sources() -> list[Path]:
    below = [path for place in PLACES for path in (REPOSITORY / place).rglob("*")]
    files = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("*.toml"), *below]
    plain = [path for path in files if path.is_file() and path.suffix in SUFFIXES and "__pycache__" not in path.parts]
    return [path for path in plain if path != HOME and path.stat().st_size <= LARGEST_BYTES]


def telling_numbers() -> list[str]:
    """Values of at least five digits, as they are printed: shorter ones occur by chance."""
    records = json.loads(HOME.read_text(encoding="utf-8"))["records"]
    values = {repr(record["value"]) for record in records if isinstance(record["value"], float)}
    values |= {f"{record['value']:.3f}" for record in records if record["protocol"] == "panic3d"}
    mantissas = {value.partition("e")[0] for value in values}
    return sorted(value for value in mantissas if len(value.replace(".", "").lstrip("0")) >= 5)


def hits(text: str, numbers: list[str]) -> list[str]:
    found = re.findall(rf"(?<![\d.])(?:{'|'.join(map(re.escape, numbers))})(?![\d])", text)
    return sorted(set(found))


def test_no_source_types_a_published_number() -> None:
    numbers = telling_numbers()
    assert len(numbers) > 20
    for path in sources():
        text = path.read_text(encoding="utf-8", errors="replace")
        assert hits(text, numbers) == [], f"{path.relative_to(REPOSITORY)} retypes published numbers: cite their ids"


def test_the_search_finds_numbers_and_no_parts_of_others() -> None:
    numbers = telling_numbers()
    some = next(number for number in numbers if number.startswith("9"))
    assert hits(f"clip {some}.", numbers) == [some]
    assert hits(f"1{some} {some}1 0.{some}", numbers) == []


def test_every_cited_id_is_a_published_number_of_that_method() -> None:
    published = Published.read()
    for entry in registry.entries():
        for record_id in entry.published:
            record = published.by_id(record_id)
            assert "".join(filter(str.isalnum, record.method)).lower() == entry.name


def test_panic3d_cites_every_row_that_can_be_measured_and_baselines_cite_none() -> None:
    entries = {entry.name: entry.published for entry in registry.entries()}
    published = Published.read()
    judged = [record.id for row in published.rows() for record in row.columns]
    assert len(judged) == 24
    assert sorted(entries["panic3d"]) == sorted(judged)
    assert {name for name, ids in entries.items() if ids} == {"panic3d"}


def test_an_id_that_nobody_published_is_refused() -> None:
    with pytest.raises(Exception, match="panic-3d/animerecon/front/magic"):
        Published.read().by_id("panic-3d/animerecon/front/magic")
