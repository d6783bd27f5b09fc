"""Characters → renders, portraits, regions and attribution in the dataset layout."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tyro.conf import Positional

from _databacks.defaults import SAMPLE_ROOT, SAMPLE_SENTENCE, SAMPLE_SOURCE
from _databacks.prepare import prepare
from _databacks.prepare_plan import PrepareConfig
from _databacks.sample import prepare_sample
from _exchange.command import Outcome, Verb, main


@dataclass(frozen=True, kw_only=True)
class Prepare(Verb, PrepareConfig):
    """Draw characters: a folder of VRM/GLB files, or a published set's own files, become a dataset.

    Examples:
        python3 -m _scripts.prepare                                the embedded sample set
        python3 -m _scripts.prepare my_characters --out _data/mine
        python3 -m _scripts.prepare _data/lustrous --renderset daredemoE
        python3 -m _scripts.prepare my_characters --out _data/mine --shard 1/4
    """

    source: Positional[Path] = SAMPLE_SOURCE
    """Folder of .vrm and .glb files, searched with its subfolders; or a dataset whose raw/ holds the characters;
    default: the sample set, which is written first."""


def run(options: Prepare) -> Outcome:
    """Prepare, and say what was drawn, what was there, and what failed and why."""
    values = {field.name: getattr(options, field.name) for field in fields(PrepareConfig)}
    config = PrepareConfig(**values)
    is_sample = options.source == SAMPLE_SOURCE
    if is_sample:
        result = prepare_sample(PrepareConfig(**{**values, "out": options.out or SAMPLE_ROOT}))
    else:
        result = prepare(config)
    lines = [
        *([SAMPLE_SENTENCE] if is_sample else []),
        result.back_end,
        f"{result.renderset} in {result.root}: {result.total} characters, {result.drawn} drawn, "
        f"{result.cached} there already, {result.failed} failed.",
        *([] if result.complete else [result.so_far_sentence]),
        *(f"  {problem.sentence}" for problem in result.problems),
    ]
    data = {**asdict(result), "root": str(result.root), "failed": result.failed}
    return Outcome("\n".join(lines), data)


if __name__ == "__main__":
    main(Prepare, run)
