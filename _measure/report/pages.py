"""Records to pages: Jinja templates with escaping on, relative links, nothing from outside the folder."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

import jinja2

from _measure.report.many_records import Comparison
from _measure.report.records import Fact, Item, Report

HERE = Path(__file__).resolve().parent
ASSETS = ("style.css", "page.js", "glb.js", "viewer.js")
_ADDRESS = re.compile(r"https?://[^\s<>\"']+")
_ITEM_ROOT = "../../"


def index_page(report: Report) -> str:
    """The first page: table, failures, all characters, scores of every item."""
    return _template("index.html.j2").render(report=report, root="")


def item_page(report: Report, item: Item) -> str:
    """The page of one character, with links to its neighbours in list order and by score."""
    before, after = _neighbours(report.items, item)
    ranking = report.ranking
    better, worse = _neighbours(ranking, item)
    return _template("item.html.j2").render(
        report=report,
        item=item,
        before=before,
        after=after,
        better=better,
        worse=worse,
        rank=ranking.index(item) + 1 if item in ranking else 0,
        ranked=len(ranking),
        root=_ITEM_ROOT,
    )


def _neighbours(items: Sequence[Item], item: Item) -> tuple[Item | None, Item | None]:
    """The items before and after an item; None at the ends, and where it is not among them."""
    if item not in items:
        return None, None
    place = items.index(item)
    return items[place - 1] if place else None, items[place + 1] if place + 1 < len(items) else None


def many_page(comparison: Comparison) -> str:
    """The page over several runs."""
    return _template("many.html.j2").render(comparison=comparison, root="")


def model_script(name: str, base64: str, *, shaded: bool) -> str:
    """The file that hands a packed GLB to the viewer; pages opened from a disk may not fetch.

    Args:
        name: what its button names.
        base64: of the GLB after gzip.
        shaded: drawn darker where it turns away, for colours that are no picture.
    """
    return _template("model.js.j2").render(name=name, base64=base64, shaded=shaded)


def asset(name: str) -> str:
    """One of `ASSETS`."""
    return (HERE / "assets" / name).read_text(encoding="utf-8")


def fact_with_link(label: str, value: str) -> Fact:
    """A fact whose link is its value, where that is a web address and nothing else."""
    return Fact(label, value, value if _ADDRESS.fullmatch(value) else "")


def quoted_path(path: str) -> str:
    """A relative path as it stands in a link: names may hold spaces, ``#``, ``?`` and quotes."""
    return quote(path, safe="/", errors="surrogatepass")


def js_number(value: float) -> str:
    """A number as JavaScript's `Number` reads it, infinities included."""
    return repr(value) if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["href"] = quoted_path
    environment.filters["js_number"] = js_number
    return environment


def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)
