"""The bench of the generator: both ways are timed on the same model, and what was measured is said."""

from __future__ import annotations

import json

import pytest

from training.bench import (
    CharacterCost,
    GeneratorBench,
    Model,
    Stage,
    bench_generator,
    generator_bench_data,
    generator_bench_text,
)
from training.configurations import small

TINY = small(backbone_resolution=16, channel_base=256, channel_max=16, img_resolution=64, z_dim=16, w_dim=16)


@pytest.fixture(scope="module")
def bench() -> GeneratorBench:
    return bench_generator(Model(TINY, render_size=8, resolution=48), repeats=2, chunks=1, views=2)


def test_both_protocols_and_the_published_procedure_are_timed(bench: GeneratorBench) -> None:
    assert [cost.name for cost in bench.fast] == ["fast corrected", "fast paper"]
    for cost in (*bench.fast, bench.plain):
        assert all(stage.cpu_seconds >= 0 and stage.wall_seconds > 0 for stage in cost.stages)
        assert cost.cpu_seconds == pytest.approx(sum(stage.cpu_seconds for stage in cost.stages))
        assert 100 < cost.peak_memory_mb < 100_000
    assert {"mesh", "views: march", "views: march for occlusion"} <= {stage.name for stage in bench.fast[0].stages}
    assert bench.faces > 100


def test_both_ways_make_the_same_picture(bench: GeneratorBench) -> None:
    assert bench.mean_difference < 1e-4


def test_a_part_stands_for_the_whole_as_stated(bench: GeneratorBench) -> None:
    assert (bench.chunks, bench.all_chunks, bench.views) == (1, 2, 2)  # 48³ = 110592 points, 100000 a chunk
    text = generator_bench_text(bench)
    assert "from 1 of 2 chunks of the volume and 2 of 16 views" in text
    assert f"mesh of 48³ ({bench.faces} faces" in text


def test_ratio_and_report_by_hand() -> None:
    fast = CharacterCost("fast corrected", (Stage("mesh", 2.0, 3.0), Stage("views", 3.0, 4.0)), 900.0)
    plain = CharacterCost("plain", (Stage("volume", 200.0, 201.0),), 1000.0)
    bench = GeneratorBench(Model(TINY), (fast,), plain, 2, 168, 1, 2e-7, 1234, 3, {"threads": "1"})
    assert bench.ratio(fast) == 40
    text = generator_bench_text(bench)
    assert "fast corrected: 40 × fewer CPU seconds than plain" in text
    assert "fast corrected: sum                            5.00     7.00" in text
    data = json.loads(json.dumps(generator_bench_data(bench)))
    assert data["plain"]["stages"][0]["cpu_seconds"] == 200.0
    assert data["ratios"] == {"fast corrected": 40.0}
    assert data["cpu_seconds"] == {"fast corrected": 5.0, "plain": 200.0}
    assert data["wall_seconds"] == {"fast corrected": 7.0, "plain": 201.0}
