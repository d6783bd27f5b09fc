"""Stage timings."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from _databacks.characters import FIRST_FREE_SEED, write_character
from _databacks.vrm import read_head_mesh
from _exchange.command import Outcome, Verb, main
from _exchange.errors import InputError
from _exchange.protocol import Way
from _measure.bench import bench_text
from _measure.measure import MeasureConfig, bench
from _render.bench import bench_back_ends, render_bench_text

_SUBJECT = Path("_data/bench.vrm")


@dataclass(frozen=True, kw_only=True)
class Bench(Verb):
    """Time the stages of drawing, generating or measuring, in CPU seconds per character: bench measure runs/mine."""

    what: Positional[Literal["render", "generator", "measure"]]
    """What to time."""
    path: Positional[Path | None] = None
    """render: a character file, default a procedural one. measure: a run, default the latest."""
    shading: Way = "corrected"
    """render: materials as the file means them, or the original's alpha test."""
    repeats: int = 3
    """How often; the median is shown."""
    limit: int = 3
    """measure: only the first so many items; 0 takes all."""


def run(options: Bench) -> Outcome:
    """Time, and show the table."""
    if options.repeats < 1:
        raise InputError(f"Expected --repeats of at least 1, found {options.repeats}.")
    if options.what == "measure":
        measured = bench(MeasureConfig(path=options.path, limit=options.limit), options.repeats)
        return Outcome(bench_text(measured), asdict(measured))
    if options.what == "generator":
        from training.bench import Model, bench_generator, generator_bench_data, generator_bench_text

        timed = bench_generator(Model(), options.repeats)
        return Outcome(generator_bench_text(timed), generator_bench_data(timed))
    path = options.path or write_character(FIRST_FREE_SEED, _SUBJECT)
    comparison = bench_back_ends(read_head_mesh(path, shading=options.shading), options.shading, options.repeats)
    return Outcome(render_bench_text(comparison), asdict(comparison))


if __name__ == "__main__":
    main(Bench, run)
