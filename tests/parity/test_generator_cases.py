"""Whole cases of `TriPlaneGenerator.f`. Source: parity/generator/README.md, Tolerance."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.parity.devices import exact
from tests.parity.generator_cases import (
    ENGINES,
    Case,
    ComparedDraws,
    assert_depth,
    assert_mostly,
    at_stride,
    case_parameters,
    engine,
    load_case,
    scale_of,
    strided,
)
from torch_utils.determinism import Draws, GeneratorDraws
from training.blocks import SynthesisBlock
from training.engine.choose import engine_named

CASES = case_parameters()
HARD = ("mask_weights", "mask_edges", "mask_dxyz")
SOFT = ("mask_occ", "mask_frontweight", "mask")


def _called(case: Case, draws: Draws, name: str = "plain") -> dict[str, Any]:
    return case.generator.f(case.inputs(), draws=draws, engine=engine(name), **case.settings.get("f_args", {}))


@pytest.fixture(params=ENGINES)
def engine_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("path", CASES)
def test_whole_cases(path: Path, engine_name: str, report: Callable[[str], None]) -> None:
    case = load_case(path)
    _check(case, _called(case, case.draws(), engine_name), report)


def _check(case: Case, results: dict[str, Any], report: Callable[[str], None]) -> None:
    if {"out/image_depth", "out/image_weights"} <= set(case.arrays):
        ours = results["image_depth"], results["image_weights"]
        theirs = case.tensor("out/image_depth"), case.tensor("out/image_weights")
        assert_depth(ours, theirs, case.settings["name"], report)
    for name in _stored(case, ("image_raw", "image_weights", "image_xyz")):
        reference = case.tensor(f"out/{name}")
        s = scale_of(reference)
        assert_mostly(results[name], reference, 1e-3 * s, share=0.995, mean=1e-4 * s)
    final = "image_prepaste" if "paste" in results else "image"
    stored = list(strided(case.arrays, final))
    assert stored or list(strided(case.arrays, "image")), f"{case.settings['name']} has no final image"
    for key, stride in stored:
        reference = case.tensor(key)
        s = scale_of(reference)
        assert_mostly(at_stride(results[final], stride), reference, 2e-3 * s, share=0.995, mean=2e-4 * s)
    if "paste" in results:
        _check_masks(case, results["paste"])
        _check_pasted(case, results)


def _stored(case: Case, names: tuple[str, ...]) -> list[str]:
    """Those of the outputs that the case has."""
    return [name for name in names if f"out/{name}" in case.arrays]


def _check_masks(case: Case, paste: dict[str, Any]) -> None:
    for name in _stored(case, HARD):
        share = float((paste[name] != case.tensor(f"out/{name}")).double().mean())
        assert share <= 0.01, f"{name}: {share:.3%} of the pixels differ"
    for name in _stored(case, SOFT):
        assert_mostly(paste[name], case.tensor(f"out/{name}"), 1e-2, share=0.99)
    for key, stride in strided(case.arrays, "paste"):
        assert_mostly(at_stride(paste["paste"], stride), case.tensor(key), 1e-2, share=0.99, mean=2e-3)
    assert (paste["frontweight"] is None) == (not case.request().paste.front_weight_erosion)


def _check_pasted(case: Case, results: dict[str, Any]) -> None:
    """In two parts: pixels whose mask differs are only counted."""
    for key, stride in strided(case.arrays, "image"):
        reference = case.tensor(key)
        s = scale_of(reference)
        ours, theirs = (at_stride(mask, stride) for mask in (results["paste"]["mask"], case.tensor("out/mask")))
        flipped = (ours - theirs).abs() > 1e-2
        assert float(flipped.double().mean()) <= 0.01
        elsewhere = ~flipped.expand_as(reference)
        found = at_stride(results["image"], stride)[elsewhere]
        assert_mostly(found, reference[elsewhere], 1e-2 * s, share=0.995)
        assert_mostly(found, reference[elsewhere], 2e-3 * s, share=0.98)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("path", CASES)
@pytest.mark.parametrize("engine_on_gpu", ["plain", "fast"])
def test_whole_cases_on_a_gpu(path: Path, engine_on_gpu: str, report: Callable[[str], None]) -> None:
    """In float32 throughout: half precision in the super-resolution is not what the recordings did."""
    case = load_case(path)
    generator = copy.deepcopy(case.generator).to("cuda")
    for module in generator.modules():
        if isinstance(module, SynthesisBlock):
            module.use_fp16 = False
    options = {
        "draws": case.draws(),
        "engine": engine_named(engine_on_gpu, "cuda"),
        **case.settings.get("f_args", {}),
    }
    with exact(), torch.no_grad():
        results = generator.f(_on_gpu(case.inputs()), **options)
    _check(case, _from_gpu(results), report)


def _on_gpu(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _on_gpu(value) for key, value in values.items()}
    return values.to("cuda") if isinstance(values, torch.Tensor) else values


def _from_gpu(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _from_gpu(value) for key, value in values.items()}
    return values.cpu() if isinstance(values, torch.Tensor) else values


@pytest.mark.parametrize("path", CASES)
def test_the_seed_reproduces_every_recorded_number(path: Path) -> None:
    case = load_case(path)
    seed = case.settings.get("manual_seed_before_f")
    if seed is None:
        pytest.skip(f"{path.stem} states no seed")
    draws = ComparedDraws(GeneratorDraws.seeded(seed), case.recorded())
    _called(case, draws)
    assert draws.seen == {key[4:] for key in case.arrays if key.startswith("rng/")}


@pytest.mark.parametrize("path", CASES)
def test_the_global_stream_is_the_default_source(path: Path) -> None:
    case = load_case(path)
    seed = case.settings.get("manual_seed_before_f")
    if seed is None:
        pytest.skip(f"{path.stem} states no seed")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        by_default = case.generator.f(case.inputs(), **case.settings.get("f_args", {}))
    recorded = _called(case, case.draws())
    assert torch.equal(by_default["image"], recorded["image"])
