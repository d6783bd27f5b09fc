"""What one character costs: the published procedure and ours, on the same machine in the same run.

The model has the published configuration and seeded random weights, whose fields are steeper and rougher than those of
trained ones. A character is a mesh of 256³ and the sixteen views of the evaluation, pasted. The published procedure
runs the backbone anew for every chunk of the volume, every view and every mask, and decodes every sample; where it
would take minutes, a stated number of chunks and views stands for all. Nothing here asserts a time.
Source: spec/generator.md §7, §8, §10.2.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from _exchange.camera import standard_camera
from _exchange.items import RENDERED_CAMERAS
from _exchange.progress import progress
from _exchange.protocol import CORRECTED, PAPER, Protocol
from _exchange.run_record import this_machine
from _exchange.stage_clock import Stage, StageClock, median_stages
from torch_utils.determinism import Draws, GeneratorDraws, single_threaded
from torch_utils.ops.resize import bilinear
from training.character import LATENT_SEED, Character, Drawing, View
from training.configurations import (
    EVALUATION_CLEARING,
    EVALUATION_DEPTHS,
    EVALUATION_PASTE,
    RENDER_SIZE,
    published,
)
from training.engine.choose import engine_named
from training.engine.interface import Clearing, Composite, Decoded, Engine, Field, Rays, Sampling
from training.engine.plain import PlainEngine
from training.lattice import points_of_indices
from training.paste import paste_params_of
from training.random_model import empty_conditions, random_generator, rescale_density
from training.request import latents_of_seeds
from training.triplane import TriPlaneGenerator
from training.view_draws import ViewDraws

CHUNK = 100_000
"""Points that the published export decodes at once."""
_REST_OF_VIEWS = "views: planes, enlarging, pasting"
_PLAIN_VIEWS, _PLAIN_VOLUME = "views", "volume"


@dataclass(frozen=True)
class Model:
    """What is timed.

    Attributes:
        init_kwargs: constructor arguments.
        render_size: pixels a side of a render.
        resolution: lattice points along a side of the mesh's volume.
    """

    init_kwargs: Mapping[str, Any] = field(default_factory=published)
    render_size: int = RENDER_SIZE
    resolution: int = 256


@dataclass(frozen=True)
class CharacterCost:
    """One way to make one character.

    Attributes:
        name: ``plain``, ``fast corrected`` or ``fast paper``.
        stages: in order.
        peak_memory_mb: of the process so far, mebibytes.
    """

    name: str
    stages: tuple[Stage, ...]
    peak_memory_mb: float

    @property
    def cpu_seconds(self) -> float:
        """Sum over the stages."""
        return sum(stage.cpu_seconds for stage in self.stages)

    @property
    def wall_seconds(self) -> float:
        """Sum over the stages."""
        return sum(stage.wall_seconds for stage in self.stages)


@dataclass(frozen=True)
class GeneratorBench:
    """What was measured.

    Attributes:
        model: what was timed.
        fast: ours, by protocol.
        plain: the published procedure.
        chunks: measured chunks of its volume.
        all_chunks: chunks of the whole volume, for which these stand.
        views: measured views of it, which stand for sixteen.
        mean_difference: between a picture of both ways before pasting, in [0, 1], with the same random numbers.
        faces: of the mesh of ``corrected``.
        repeats: of the fast ways.
        versions: of this machine, one thread.
    """

    model: Model
    fast: tuple[CharacterCost, ...]
    plain: CharacterCost
    chunks: int
    all_chunks: int
    views: int
    mean_difference: float
    faces: int
    repeats: int
    versions: Mapping[str, str]

    def ratio(self, cost: CharacterCost) -> float:
        """CPU seconds of the published procedure over those of `cost`."""
        return self.plain.cpu_seconds / cost.cpu_seconds


class _TimedEngine(Engine):
    """Another engine, whose marches are stages of their own."""

    def __init__(self, engine: Engine, clock: StageClock) -> None:
        self.name, self.passes_over_empty = engine.name, engine.passes_over_empty
        self._engine, self._clock = engine, clock

    def prepared(self, field: Field) -> Field:
        return self._engine.prepared(field)

    def render(self, field: Field, rays: Rays, sampling: Sampling, clearing: Clearing, draws: Draws) -> Composite:
        with self._clock.stage("views: march"):
            return self._engine.render(field, rays, sampling, clearing, draws)

    def opacity(self, field: Field, rays: Rays, sampling: Sampling, clearing: Clearing, draws: Draws) -> Tensor:
        with self._clock.stage("views: march for occlusion"):
            return self._engine.opacity(field, rays, sampling, clearing, draws)

    def decode(self, field: Field, points: Tensor) -> Decoded:
        return self._engine.decode(field, points)

    def sigma(self, field: Field, points: Tensor) -> Tensor:
        return self._engine.sigma(field, points)

    def sigma_on_grid(self, field: Field, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        return self._engine.sigma_on_grid(field, x, y, z)


class _PublishedEngine(PlainEngine):
    """Finds opacities as the published code does: by whole pictures, colours and super-resolution included."""

    def __init__(self, generator: TriPlaneGenerator, ws: Tensor) -> None:
        super().__init__()
        self._generator, self._ws = generator, ws

    def opacity(self, field: Field, rays: Rays, sampling: Sampling, clearing: Clearing, draws: Draws) -> Tensor:
        composite = self.render(field, rays, sampling, clearing, draws)
        self._generator.pictures(composite, self._ws)
        return composite.opacity


def bench_generator(model: Model, repeats: int = 3, chunks: int = 2, views: int = 1) -> GeneratorBench:
    """Time both ways in one thread.

    Args:
        model: what to time.
        repeats: of the fast ways, after one character that is not counted.
        chunks: of the published volume that are measured.
        views: of the published pictures that are measured.
    """
    generator = random_generator(model.init_kwargs)
    generator.rendering_kwargs.update(EVALUATION_DEPTHS)
    generator.neural_rendering_resolution = model.render_size
    cond, costs, made = _conditions(generator), [], {}
    rescale_density(generator, cond)
    with single_threaded(), progress("bench generator", 2 * repeats + 2) as shown:
        _fast_character(generator, cond, CORRECTED, model.resolution, StageClock())
        shown.advance("warm")
        for protocol in (CORRECTED, PAPER):
            clocks = [StageClock() for _ in range(repeats)]
            for clock in clocks:
                made[protocol.name] = _fast_character(generator, cond, protocol, model.resolution, clock)
                shown.advance(protocol.name)
            costs.append(_cost(f"fast {protocol.name}", clocks))
        clock = StageClock()
        plain_view = _plain_character(generator, cond, model.resolution, clock, chunks=chunks, views=views)
        shown.advance("plain")
    all_chunks = -(-(model.resolution**3) // CHUNK)
    return GeneratorBench(
        model=model,
        fast=tuple(costs),
        plain=_cost(
            "plain", [clock], {_PLAIN_VOLUME: all_chunks / chunks, _PLAIN_VIEWS: (len(RENDERED_CAMERAS) + 1) / views}
        ),
        chunks=chunks,
        all_chunks=all_chunks,
        views=views,
        mean_difference=float((made["paper"].front.unpasted - plain_view).abs().mean()),
        faces=made["corrected"].faces,
        repeats=repeats,
        versions={**this_machine("cpu"), "threads": "1"},
    )


def generator_bench_data(bench: GeneratorBench) -> dict[str, Any]:
    """The same for programs: all fields, and by way the sums of CPU and wall seconds and the ratios to ``plain``."""
    ways = (*bench.fast, bench.plain)
    return {
        **asdict(bench),
        "cpu_seconds": {cost.name: cost.cpu_seconds for cost in ways},
        "wall_seconds": {cost.name: cost.wall_seconds for cost in ways},
        "ratios": {cost.name: bench.ratio(cost) for cost in bench.fast},
    }


def generator_bench_text(bench: GeneratorBench) -> str:
    """A table for people: CPU and wall seconds by stage and way, sums, ratios."""
    lines = [f"{'seconds':<42}{'CPU':>9}{'wall':>9}", "=" * 60]
    for cost in (*bench.fast, bench.plain):
        lines += [
            f"{cost.name + ': ' + stage.name:<42}{stage.cpu_seconds:>9.2f}{stage.wall_seconds:>9.2f}"
            for stage in cost.stages
        ]
        lines += [f"{cost.name + ': sum':<42}{cost.cpu_seconds:>9.2f}{cost.wall_seconds:>9.2f}", ""]
    pictures = len(RENDERED_CAMERAS)
    lines += [
        f"one character: mesh of {bench.model.resolution}³ ({bench.faces} faces in corrected), {pictures} pasted views",
        "model: published configuration, seeded random weights",
        f"plain: the published procedure, from {bench.chunks} of {bench.all_chunks} chunks of the volume and "
        f"{bench.views} of {pictures} views; one more stands for the render before the export; no marching cubes",
        *(f"{cost.name}: {bench.ratio(cost):.0f} × fewer CPU seconds than plain" for cost in bench.fast),
        f"peak memory: {bench.fast[-1].peak_memory_mb:.0f} MB fast, {bench.plain.peak_memory_mb:.0f} MB with plain",
        f"fast against plain: a picture differs by {bench.mean_difference:.1e} on average",
        f"median of {bench.repeats}; " + ", ".join(f"{name} {version}" for name, version in bench.versions.items()),
    ]
    return "\n".join(lines)


# -- the two ways -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Made:
    """Number of faces of the mesh, and the front view."""

    faces: int
    front: View


def _fast_character(
    generator: TriPlaneGenerator, cond: Mapping[str, Tensor], protocol: Protocol, resolution: int, clock: StageClock
) -> _Made:
    engine = _TimedEngine(engine_named("fast"), clock)
    cameras = [standard_camera(name) for name in RENDERED_CAMERAS]
    drawing = Drawing(protocol, Clearing(**EVALUATION_CLEARING), paste_params_of(dict(EVALUATION_PASTE)))
    with clock.stage("styles, modulated weights"):
        character = Character(generator, cond, engine, drawing)
    with clock.stage("planes of the mesh"):
        character.field  # noqa: B018 - makes and keeps the planes
    with clock.stage("mesh"):
        mesh = character.mesh(resolution)
    with clock.stage(_REST_OF_VIEWS):
        draws = ViewDraws(generator, protocol.view_draws, cameras)
        views = [character.view(camera, draws.of(camera, "bench")) for camera in cameras]
    return _Made(len(mesh.faces), views[0])


def _plain_character(
    generator: TriPlaneGenerator,
    cond: Mapping[str, Tensor],
    resolution: int,
    clock: StageClock,
    *,
    chunks: int,
    views: int,
) -> Tensor:
    """Time a part of the published procedure; returns the first picture before pasting, (3, n, n)."""
    inputs = {"cond": cond, "seeds": [LATENT_SEED], **EVALUATION_CLEARING, "paste_params": dict(EVALUATION_PASTE)}
    draws, pictures = GeneratorDraws.seeded(0), []
    with torch.inference_mode():
        ws = generator.mapping(latents_of_seeds([LATENT_SEED], generator.z_dim), None)
        engine = _PublishedEngine(generator, ws)
        for camera in map(standard_camera, RENDERED_CAMERAS[:views]):
            angles = {"elevations": [camera.elev], "azimuths": [camera.azim], "fovs": [camera.fov]}
            with clock.stage(_PLAIN_VIEWS):
                pictures.append(generator.f({**inputs, **angles}, draws=draws, engine=engine)["image_prepaste"][0])
        for chunk in range(chunks):
            index = torch.arange(chunk * CHUNK, min((chunk + 1) * CHUNK, resolution**3))
            with clock.stage(_PLAIN_VOLUME):
                points = points_of_indices(index, resolution, "sheared", generator.box_warp)
                generator.sample_mixed(points[None], None, ws, cond, noise_mode="const")
    return pictures[0]


def _conditions(generator: TriPlaneGenerator) -> dict[str, Tensor]:
    """A picture of smooth random colours, and random features."""
    source = torch.Generator().manual_seed(0)
    empty = empty_conditions(generator)
    cond = {name: torch.randn(value.shape, generator=source) for name, value in empty.items()}
    coarse = torch.rand((1, 3, 16, 16), generator=source)
    cond["image_ortho_front"] = bilinear(coarse, generator.img_resolution)
    return cond


def _cost(name: str, clocks: list[StageClock], factors: Mapping[str, float] | None = None) -> CharacterCost:
    """Medians over the clocks, multiplied where a part stands for the whole."""
    stages = []
    for stage in median_stages(clocks):
        factor = (factors or {}).get(stage.name, 1.0)
        stages.append(Stage(stage.name, factor * stage.cpu_seconds, factor * stage.wall_seconds))
    return CharacterCost(name, tuple(stages), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
