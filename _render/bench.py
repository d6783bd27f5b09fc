"""How long the pictures of one character take, stage by stage.

The mix is that of the performance page: 60 `rgb60`, 10 `xyza60`, 5 `ortho` and 5 `ortho_xyza` pictures.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from _exchange.camera import Camera
from _exchange.errors import MissingComponent
from _exchange.mesh import HeadMesh
from _exchange.pictures import png_bytes
from _exchange.progress import progress
from _exchange.protocol import Way
from _exchange.run_record import this_machine
from _exchange.stage_clock import StageClock, median_stages
from _render.choose import renderer
from _render.kinds import KINDS, finished, views_of_kind
from _render.rasterise_plain import draw_plain
from _render.scene import Renderer, Scene
from _render.shading import plan

MIX: Mapping[str, int] = {"rgb60": 60, "xyza60": 10, "ortho": 5, "ortho_xyza": 5}
"""Pictures per kind; where a kind has more views they are spread evenly over them."""
STAGES = ("load", "draw", "finish", "encode")
"""Tables and mip chains; rasterising and shading; reduction and background; PNG."""
_FRONT = Camera(0.0, 0.0)
_PLAIN_TRIANGLES, _PLAIN_SIZE, _FAST_REPEATS = 300, 32, 20


@dataclass(frozen=True)
class RenderBench:
    """One measurement.

    Attributes:
        back_end: ``cpu`` or ``egl``.
        reason: the renderer's sentence about itself.
        shading: paper or corrected.
        triangles: of the character.
        pictures: number of pictures drawn.
        cpu_seconds: CPU seconds of the process per stage, all threads, median over the repeats.
        wall_seconds: wall seconds per stage, likewise.
    """

    back_end: str
    reason: str
    shading: Way
    triangles: int
    pictures: int
    cpu_seconds: Mapping[str, float]
    wall_seconds: Mapping[str, float]

    @property
    def total_cpu_seconds(self) -> float:
        """Sum over the stages."""
        return sum(self.cpu_seconds.values())


def bench_render(
    back_end: Renderer,
    head_mesh: HeadMesh,
    shading: Way = "corrected",
    mix: Mapping[str, int] = MIX,
    repeats: int = 3,
) -> RenderBench:
    """Draw, finish and encode the mix `repeats` times, after one picture of each kind that is not counted."""
    warm = back_end.load(head_mesh, shading)
    for kind in mix:
        _picture(warm, kind, _FRONT, StageClock())
    clocks = []
    with progress(f"bench {back_end.name}", repeats) as shown:
        for _ in range(repeats):
            clocks.append(_one_run(back_end, head_mesh, shading, mix))
            shown.advance()
    return RenderBench(
        back_end=back_end.name,
        reason=back_end.reason,
        shading=shading,
        triangles=head_mesh.triangle_count,
        pictures=sum(mix.values()),
        cpu_seconds={stage.name: stage.cpu_seconds for stage in median_stages(clocks)},
        wall_seconds={stage.name: stage.wall_seconds for stage in median_stages(clocks)},
    )


@dataclass(frozen=True)
class BackEndComparison:
    """Every back end of this machine on one character.

    Attributes:
        benches: the CPU rasteriser, then OpenGL where there is one.
        plain_ratio: CPU time of the plain loop over that of the CPU rasteriser, on the same small picture.
        peak_memory_mb: of this process, mebibytes.
        versions: of this machine's Python and libraries.
    """

    benches: tuple[RenderBench, ...]
    plain_ratio: float
    peak_memory_mb: float
    versions: Mapping[str, str]


def bench_back_ends(head_mesh: HeadMesh, shading: Way = "corrected", repeats: int = 3) -> BackEndComparison:
    """`bench_render` on the CPU rasteriser and, where there is one, on OpenGL; and the plain twin in the same run."""
    renderers: list[Renderer] = [renderer("cpu")]
    with suppress(MissingComponent):
        renderers.append(renderer("egl"))
    benches = tuple(bench_render(one, head_mesh, shading, repeats=repeats) for one in renderers)
    ratio = _plain_ratio(head_mesh, shading)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return BackEndComparison(benches, ratio, peak, this_machine("cpu"))


def render_bench_text(comparison: BackEndComparison) -> str:
    """A table for people: CPU seconds by stage and back end, wall seconds beside their sum."""
    lines = [f"{'CPU s':<8}" + "".join(f"{stage:>9}" for stage in (*STAGES, "total", "wall")), "=" * 62]
    for one in comparison.benches:
        values = [*one.cpu_seconds.values(), one.total_cpu_seconds, sum(one.wall_seconds.values())]
        lines.append(f"{one.back_end:<8}" + "".join(f"{value:>9.2f}" for value in values))
    first = comparison.benches[0]
    lines += [
        "",
        f"one character, {first.triangles} triangles, {first.pictures} pictures of 512², {first.shading} shading",
        *(f"{one.back_end}: {one.reason}" for one in comparison.benches),
    ]
    if all(one.back_end != "egl" for one in comparison.benches):
        lines.append("egl: not run, there is no OpenGL through EGL here (python3 -m _scripts.doctor)")
    lines += [
        f"plain twin: {comparison.plain_ratio:.0f} × the CPU time of the CPU rasteriser "
        f"({_PLAIN_TRIANGLES} triangles, {_PLAIN_SIZE}²)",
        f"peak memory {comparison.peak_memory_mb:.0f} MiB, one thread",
        ", ".join(f"{name} {version}" for name, version in comparison.versions.items()),
    ]
    return "\n".join(lines)


def _plain_ratio(head_mesh: HeadMesh, shading: Way) -> float:
    """Both twins draw the first triangles of the character, small: the plain one tests every pixel of each."""
    few = _first_triangles(head_mesh, _PLAIN_TRIANGLES)
    scene = renderer("cpu").load(few, shading)
    scene.prepare()
    scene.draw_both(_FRONT, _PLAIN_SIZE)
    fast = time.process_time()
    for _ in range(_FAST_REPEATS):
        scene.draw_both(_FRONT, _PLAIN_SIZE)
    plain = time.process_time()
    draw_plain(few, plan(few, shading), _FRONT, _PLAIN_SIZE)
    end = time.process_time()
    return (end - plain) / max((plain - fast) / _FAST_REPEATS, 1e-9)


def _first_triangles(head_mesh: HeadMesh, count: int) -> HeadMesh:
    """The character with its first `count` triangles only."""
    parts = []
    for part in head_mesh.parts:
        if count > 0:
            parts.append(replace(part, faces=part.faces[:count]))
            count -= len(part.faces)
    return replace(head_mesh, parts=tuple(parts))


def _one_run(back_end: Renderer, head_mesh: HeadMesh, shading: Way, mix: Mapping[str, int]) -> StageClock:
    clock = StageClock()
    with clock.stage("load"):
        scene = back_end.load(head_mesh, shading)
        scene.prepare()
    for kind, camera in _jobs(mix):
        _picture(scene, kind, camera, clock)
    return clock


def _jobs(mix: Mapping[str, int]) -> Iterator[tuple[str, Camera]]:
    for kind, count in mix.items():
        cameras = list(views_of_kind(kind).values())
        for index in range(count):
            yield kind, cameras[index * len(cameras) // count]


def _picture(scene: Scene, kind: str, camera: Camera, clock: StageClock) -> None:
    entry = KINDS[kind]
    with clock.stage("draw"):
        drawing = scene.draw(camera, entry.what, entry.draw_size)
    with clock.stage("finish"):
        picture = finished(entry, drawing)
    with clock.stage("encode"):
        png_bytes(picture)
