"""The bench's comparison of back ends and its table, and what `doctor` says about drawing."""

from __future__ import annotations

import moderngl
import pytest

from _exchange.camera import CAM60
from _render import bench
from _render.bench import BackEndComparison, RenderBench, bench_back_ends, bench_render, render_bench_text
from _render.choose import renderer
from _render.findings import drawing_findings
from _render.scene_cpu import CpuRenderer
from tests.render.shapes import character, colored, square
from tests.render.test_kinds_and_framebuffer import RecordingScene


def _no_opengl(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object, **__: object) -> None:
        raise ImportError("libEGL.so.1")

    monkeypatch.setattr(moderngl, "create_context", absent)


def _measured(back_end: str, draw: float) -> RenderBench:
    seconds = {"load": 0.25, "draw": draw, "finish": 0.5, "encode": 0.125}
    return RenderBench(back_end, f"{back_end} for a reason", "corrected", 1234, 80, seconds, seconds)


def test_the_table_sums_the_stages_and_says_that_opengl_was_not_run():
    text = render_bench_text(BackEndComparison((_measured("cpu", 3.0),), 987.4, 321.0, {"python": "3.11"}))
    row = next(line for line in text.splitlines() if line.startswith("cpu "))
    assert row.split() == ["cpu", "0.25", "3.00", "0.50", "0.12", "3.88", "3.88"]
    assert "1234 triangles, 80 pictures of 512², corrected" in text
    assert "egl: not run" in text
    assert "_scripts.doctor" in text
    assert "plain twin: 987 ×" in text
    assert text.endswith("python 3.11")


def test_the_table_has_a_row_and_a_reason_per_back_end():
    both = BackEndComparison((_measured("cpu", 3.0), _measured("egl", 9.0)), 1.0, 1.0, {})
    text = render_bench_text(both)
    assert "egl: egl for a reason" in text
    assert "not run" not in text


def test_every_kind_is_drawn_once_before_the_clock_starts_and_views_are_spread():
    """Compiling and loading of functions happens there."""

    class Recorder(CpuRenderer):
        def load(self, *_: object, **__: object) -> RecordingScene:
            scene = RecordingScene()
            scene.prepare = lambda: None
            scenes.append(scene)
            return scene

    scenes: list[RecordingScene] = []
    bench_render(Recorder(), character(), "paper", {"rgb60": 2, "ortho_xyza": 1}, repeats=2)
    warm, *runs = scenes
    assert [(call[0], call[2]) for call in warm.calls] == [("colour", 1024), ("position", 1024)]
    # two of 60 views, evenly spread: the first and the one in the middle
    for run in runs:
        assert [call[1] for call in run.calls[:2]] == [CAM60[0], CAM60[30]]
        assert len(run.calls) == 3


def test_without_opengl_the_cpu_alone_is_compared(monkeypatch):
    _no_opengl(monkeypatch)
    monkeypatch.setattr(bench, "bench_render", lambda one, *_, **__: _measured(one.name, 1.0))
    found = bench_back_ends(character(square(colored(1, 2, 3, 255))), repeats=1)
    assert [one.back_end for one in found.benches] == ["cpu"]
    assert found.plain_ratio > 1  # a loop in Python against a compiled one
    assert found.peak_memory_mb > 10
    assert "numpy" in found.versions


def test_findings_name_the_packages_where_opengl_is_absent(monkeypatch):
    _no_opengl(monkeypatch)
    opengl, drawing = drawing_findings()
    assert (opengl.what, opengl.present, opengl.needed) == ("OpenGL", False, False)
    assert "libegl1" in opengl.fix
    assert drawing.present
    assert "CPU rasteriser" in drawing.sentence


def test_findings_say_what_auto_takes():
    assert renderer("auto").reason in drawing_findings()[1].sentence
