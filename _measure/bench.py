"""What measuring one character costs, stage by stage, in CPU seconds. Nothing here asserts a time."""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import InputError, SuiteError
from _exchange.items import ItemId, TruthFiles
from _exchange.mesh import Mesh
from _exchange.progress import progress
from _exchange.run_record import this_machine
from _exchange.stage_clock import Stage, StageClock, median_stages
from _measure.item_scores import ItemScores
from _measure.metrics.clip import CLIP
from _measure.metrics.description import lpips_metric
from _measure.metrics.psnr import psnr
from _measure.metrics.ssim import ssim
from _measure.network_choice import ChosenNetworks, LoadedNetworks, NetworkNeeds, choose_networks
from _measure.picture_scores import ItemPictures, clip_scores, lpips_scores, read_pictures
from _measure.predictions import Predictions
from _measure.protocols import Settings
from _measure.sampling import sample_generator, sample_surface
from _measure.scoring import Networks, score_item
from _measure.surface_distance import distance_to_surface, distance_to_surface_plain
from _measure.true_surface import compared_true_surface, cut_to_region

_PLAIN_POINTS = 50
"""Points that the plain distance is timed on; its cost grows in proportion."""


@dataclass(frozen=True)
class BenchReport:
    """What was measured.

    Attributes:
        stages: medians over the characters and repeats, in the order in which one passes them; ``whole item`` is
            `score_item` from end to end, with nothing kept from before.
        characters, repeats: how many were measured, and how often each.
        plain_distance_ratio: CPU time of the plain point-to-surface distance over that of the fast one.
        plain_lpips_ratio: CPU time of LPIPS pair by pair through its definition over that of the stage; None where it
            did not run.
        peak_memory_mb: of this process, mebibytes.
        not_run: stages that did not run, with the reason.
        versions: this machine's, one thread.
    """

    stages: tuple[Stage, ...]
    characters: int
    repeats: int
    plain_distance_ratio: float
    plain_lpips_ratio: float | None
    peak_memory_mb: float
    not_run: dict[str, str]
    versions: dict[str, str]


@dataclass(frozen=True, eq=False)
class _Subject:
    """One character and how it is measured."""

    item: ItemId
    truth: TruthFiles
    predictions: Predictions
    settings: Settings
    networks: Networks

    def score(self) -> ItemScores:
        return score_item(self.item, self.truth, self.predictions, self.settings, self.networks)


@dataclass
class _Ratios:
    """Plain twins over fast ones, one number per measurement."""

    distance: list[float]
    lpips: list[float]


def bench_measure(
    items: Sequence[ItemId],
    truth_of: Callable[[ItemId], TruthFiles],
    predictions: Predictions,
    settings: Settings,
    repeats: int = 1,
) -> BenchReport:
    """Time every stage on every item, single-threaded on the CPU; raises as reading the files does."""
    from torch_utils.determinism import single_threaded

    chosen = choose_networks(settings)
    networks = _load(chosen, settings)
    subjects = [_Subject(item, truth_of(item), predictions, settings, networks) for item in items]
    clocks, ratios = list[StageClock](), _Ratios([], [])
    with single_threaded(), tempfile.TemporaryDirectory() as cache:
        for subject in subjects[:1]:
            _check(subject.score())  # the first call of every library pays for loading it
        with progress("bench measure", len(subjects)) as shown:
            for subject in subjects:
                clocks += [_timed(subject, Path(cache), ratios) for _ in range(repeats)]
                shown.advance(str(subject.item))
    names = {lpips_metric(settings.lpips_network).id: f"lpips ({settings.lpips_network})", CLIP.id: "clip"}
    return BenchReport(
        stages=median_stages(clocks),
        characters=len(subjects),
        repeats=repeats,
        plain_distance_ratio=statistics.median(ratios.distance),
        plain_lpips_ratio=statistics.median(ratios.lpips) if ratios.lpips else None,
        peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        not_run={names[metric]: reason for metric, reason in chosen.not_run.items()},
        versions=this_machine("cpu"),
    )


def bench_text(report: BenchReport) -> str:
    """The report for people."""
    lines = [f"{'stage':<32}{'CPU s':>9}{'wall s':>9}", "=" * 50]
    lines += [f"{stage.name:<32}{stage.cpu_seconds:>9.3f}{stage.wall_seconds:>9.3f}" for stage in report.stages]
    lines += [f"{name:<32}{'not run':>9}" for name in report.not_run]
    lines += [
        "",
        f"medians over {report.characters} characters × {report.repeats} repeats, one thread of torch",
        f"plain distance twin: {report.plain_distance_ratio:.0f} × the CPU time of the fast one",
    ]
    if report.plain_lpips_ratio is not None:
        lines.append(f"LPIPS pair by pair: {report.plain_lpips_ratio:.2f} × the CPU time of the stage")
    lines += [f"{name} not run: {reason}" for name, reason in report.not_run.items()]
    lines += [
        f"peak memory {report.peak_memory_mb:.0f} MiB",
        ", ".join(f"{name} {version}" for name, version in report.versions.items()),
    ]
    return "\n".join(lines) + "\n"


def _load(chosen: ChosenNetworks, settings: Settings) -> Networks:
    lpips = (settings.lpips_network,) if chosen.facts.lpips else ()
    clip = (settings.protocol.clip_precision,) if chosen.facts.clip else ()
    return LoadedNetworks.load(NetworkNeeds(lpips, clip)).of(settings)


def _timed(subject: _Subject, cache: Path, ratios: _Ratios) -> StageClock:
    """Every stage of one character; one that cannot be read is named."""
    clock = StageClock()
    try:
        _time_pictures(clock, subject, ratios)
        _time_surfaces(clock, subject, cache, ratios)
    except SuiteError as error:
        raise InputError(f"{subject.item}: {error}") from error
    _check(clock.time("whole item", subject.score))
    return clock


def _time_pictures(clock: StageClock, subject: _Subject, ratios: _Ratios) -> None:
    settings = subject.settings
    pictures = clock.time(
        "read and crop pictures", lambda: read_pictures(subject.item, subject.truth, subject.predictions)
    )
    pairs = [pair.unit for pair in pictures.pairs.values()]
    clock.time("psnr", lambda: [psnr(a, b, settings.protocol.psnr_peak) for a, b in pairs])
    clock.time("ssim", lambda: [ssim(a, b) for a, b in pairs])
    lpips, clip = subject.networks.lpips, subject.networks.clip
    if lpips is not None:
        start = time.process_time()
        clock.time(
            f"lpips ({settings.lpips_network})", lambda: lpips_scores(pictures, lpips, settings.protocol.lpips_range)
        )
        middle = time.process_time()
        _lpips_plain(pictures, subject)
        ratios.lpips.append((time.process_time() - middle) / max(middle - start, 1e-9))
    if clip is not None:
        clock.time("clip", lambda: clip_scores(pictures, clip))


def _time_surfaces(clock: StageClock, subject: _Subject, cache: Path, ratios: _Ratios) -> None:
    truth, settings = subject.truth, subject.settings

    def read_predicted() -> Mesh:
        return cut_to_region(subject.predictions.mesh(subject.item), truth.region)

    predicted = clock.time("read predicted surface", read_predicted)
    true = clock.time("make true surface", lambda: compared_true_surface(truth, settings.protocol))
    compared_true_surface(truth, settings.protocol, cache)  # keeps it, the first time
    clock.time("true surface, kept from before", lambda: compared_true_surface(truth, settings.protocol, cache))

    def sample() -> list[NDArray[np.float64]]:
        return [
            sample_surface(mesh, settings.sample_count, sample_generator(truth.bn, "true")).points(mesh)
            for mesh in (predicted, true)
        ]

    on_predicted, on_true = clock.time("sample surfaces", sample)
    clock.time("distances", lambda: (distance_to_surface(on_predicted, true), distance_to_surface(on_true, predicted)))
    ratios.distance.append(_plain_ratio(on_predicted, true))


def _lpips_plain(pictures: ItemPictures, subject: _Subject) -> list[float]:
    """LPIPS as its definition says: one pair after the other."""
    import torch

    from _measure.metrics.lpips import lpips

    network = subject.networks.lpips
    assert network is not None
    values = []
    for pair in pictures.pairs.values():
        predicted, true = (torch.from_numpy(side).permute(2, 0, 1) for side in pair.unit)
        values.append(lpips(network, predicted, true, subject.settings.protocol.lpips_range))
    return values


def _check(scored: ItemScores) -> None:
    """A character that cannot be scored as a whole is of no use for timing."""
    for problem in scored.problems:
        view = f"{problem.view}: " if problem.view else ""
        raise InputError(f"{problem.item}: {view}{problem.reason}")


def _plain_ratio(points: NDArray[np.float64], mesh: Mesh) -> float:
    start = time.process_time()
    distance_to_surface(points, mesh)
    middle = time.process_time()
    distance_to_surface_plain(points[:_PLAIN_POINTS], mesh)
    plain = (time.process_time() - middle) * len(points) / min(_PLAIN_POINTS, len(points))
    return plain / max(middle - start, 1e-9)
