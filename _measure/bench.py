"""What measuring one character costs, stage by stage, in CPU seconds. Nothing here asserts a time."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from _exchange.errors import MissingComponent
from _exchange.items import SCORED_CAMERAS, ItemId, TruthFiles
from _exchange.mesh import Mesh
from _exchange.pictures import read_picture, unit_from_bytes
from _exchange.progress import progress
from _exchange.run_record import this_machine
from _exchange.stage_clock import Stage, StageClock, median_stages
from _measure.item_scores import ItemScores
from _measure.metrics.psnr import psnr
from _measure.metrics.ssim import ssim
from _measure.predictions import Predictions
from _measure.protocols import Networks, Settings, lpips_score, region_of_picture, score_item, subset_of_camera
from _measure.run import load_networks
from _measure.sampling import sample_generator, sample_surface
from _measure.surface_distance import distance_to_surface, distance_to_surface_plain
from _measure.true_surface import compared_true_surface, cut_to_region

_PLAIN_POINTS = 50
"""Points that the plain distance is timed on; its cost grows in proportion."""


@dataclass(frozen=True)
class BenchReport:
    """What was measured.

    Attributes:
        stages: medians over the characters, in the order in which one passes them; ``whole item`` is `score_item` from
            end to end.
        characters: how many were measured.
        plain_distance_ratio: CPU time of the plain point-to-surface distance over that of the fast one.
        peak_memory_mb: of this process, mebibytes.
        lpips: the network, or why it did not run.
        versions: this machine's, one thread.
    """

    stages: tuple[Stage, ...]
    characters: int
    plain_distance_ratio: float
    peak_memory_mb: float
    lpips: str
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


def bench_measure(
    items: Sequence[ItemId],
    truth_of: Callable[[ItemId], TruthFiles],
    predictions: Predictions,
    settings: Settings,
) -> BenchReport:
    """Time every stage on every item, single-threaded; raises as reading the files does."""
    from torch_utils.determinism import single_threaded

    networks, lpips = Networks(), str(settings.lpips_network)
    try:
        networks = load_networks(settings)
    except MissingComponent as error:
        lpips = f"not run: {error}"
    subjects = [_Subject(item, truth_of(item), predictions, settings, networks) for item in items]
    clocks, ratios = [], []
    with single_threaded():
        for subject in subjects[:1]:
            subject.score()  # the first call of every library pays for loading it
        with progress("bench measure", len(subjects)) as shown:
            for subject in subjects:
                clock = StageClock()
                _time_pictures(clock, subject)
                ratios.append(_time_surfaces(clock, subject))
                clock.time("whole item", subject.score)
                clocks.append(clock)
                shown.advance(str(subject.item))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ratio = statistics.median(ratios) if ratios else 0.0
    return BenchReport(median_stages(clocks), len(subjects), ratio, peak, lpips, this_machine("cpu"))


def bench_text(report: BenchReport) -> str:
    """The report for people."""
    lines = [f"{'stage':<28}{'CPU s':>9}{'wall s':>9}", "=" * 46]
    lines += [f"{stage.name:<28}{stage.cpu_seconds:>9.3f}{stage.wall_seconds:>9.3f}" for stage in report.stages]
    lines += [
        "",
        f"medians over {report.characters} characters, one thread, LPIPS {report.lpips}, CLIP not run",
        f"plain distance twin: {report.plain_distance_ratio:.0f} × the CPU time of the fast one",
        f"peak memory {report.peak_memory_mb:.0f} MiB",
        ", ".join(f"{name} {version}" for name, version in report.versions.items()),
    ]
    return "\n".join(lines) + "\n"


def _time_pictures(clock: StageClock, subject: _Subject) -> None:
    truth, settings = subject.truth, subject.settings

    def read() -> list[tuple[NDArray[np.float32], ...]]:
        pairs = []
        for camera in SCORED_CAMERAS:
            paths = subject.predictions.picture(subject.item, camera), truth.pictures[camera]
            subset = subset_of_camera(camera)
            pairs.append(
                tuple(unit_from_bytes(region_of_picture(read_picture(p, "RGBA"), truth.region, subset)) for p in paths)
            )
        return pairs

    pairs = clock.time("read and crop pictures", read)
    clock.time("psnr", lambda: [psnr(a, b, settings.protocol.psnr_peak) for a, b in pairs])
    clock.time("ssim", lambda: [ssim(a, b) for a, b in pairs])
    network = subject.networks.lpips
    if network is not None:
        name = f"lpips ({settings.lpips_network})"
        clock.time(name, lambda: [lpips_score(a, b, settings.protocol, network) for a, b in pairs])


def _time_surfaces(clock: StageClock, subject: _Subject) -> float:
    """Times the stages and returns the plain twin's cost over the fast one's."""
    truth, settings = subject.truth, subject.settings

    def read_predicted() -> Mesh:
        return cut_to_region(subject.predictions.mesh(subject.item), truth.region)

    predicted = clock.time("read predicted surface", read_predicted)
    true = clock.time("read and cut true surface", lambda: compared_true_surface(truth, settings.protocol))

    def sample() -> list[NDArray[np.float64]]:
        return [
            sample_surface(mesh, settings.sample_count, sample_generator(truth.bn, "true")).points(mesh)
            for mesh in (predicted, true)
        ]

    on_predicted, on_true = clock.time("sample surfaces", sample)
    clock.time("distances", lambda: (distance_to_surface(on_predicted, true), distance_to_surface(on_true, predicted)))
    return _plain_ratio(on_predicted, true)


def _plain_ratio(points: NDArray[np.float64], mesh: Mesh) -> float:
    start = time.process_time()
    distance_to_surface(points, mesh)
    middle = time.process_time()
    distance_to_surface_plain(points[:_PLAIN_POINTS], mesh)
    plain = (time.process_time() - middle) * len(points) / min(_PLAIN_POINTS, len(points))
    return plain / max(middle - start, 1e-9)
