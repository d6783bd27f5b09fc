"""Which datasets are at hand and which of their stages are missing, for `doctor`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from _databacks.dataset import open_dataset
from _databacks.names import ANIMERECON, VROID, VTUBER
from _exchange.errors import SuiteError
from _exchange.findings import Finding

_PUBLISHED = {ANIMERECON: "AnimeRecon", VROID: "Vroid", VTUBER: "Vtuber"}
_ARCHIVE = "Put the authors' archive below {root}; python3 -m _scripts.download {name} says where people get it."


def data_findings(folder: Path) -> list[Finding]:
    """The sample set and the published sets below `folder` (usually ``_data``)."""
    published = folder / "lustrous"
    sample = _finding_of("sample set", folder / "sample", "own", "Run python3 -m _scripts.prepare.")
    return [sample, *(_finding_of(name, published, renderset, "") for renderset, name in _PUBLISHED.items())]


def _finding_of(what: str, root: Path, renderset: str, fix: str) -> Finding:
    """How complete one set is: its number of characters, and by stage how many lack it."""
    fix = fix or _ARCHIVE.format(root=root, name=what.lower())
    try:
        dataset = open_dataset(root, renderset)
    except SuiteError:
        return Finding(what, False, False, f"no list of it below {root}", fix)
    try:
        items = dataset.items()
        missing = dataset.missing_stages(items)
    except SuiteError as error:
        return Finding(what, False, False, str(error), fix)
    if not items:
        return Finding(what, False, False, f"an empty list in {root}", fix)
    if not missing:
        return Finding(what, True, False, f"{len(items)} characters in {root}, complete")
    by_stage = Counter(stage.stage for stage in missing)
    steps = dict.fromkeys(stage.next_step for stage in missing)
    lacking = ", ".join(f"{stage} of {count}" for stage, count in by_stage.items())
    return Finding(what, False, False, f"{len(items)} characters in {root}; missing: {lacking}", " ".join(steps))
