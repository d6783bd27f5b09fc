"""Operators and small layers against the recorded cases, each file case by case.

Tolerance of the README: 1e-5 for values of order one, times the largest reference value where that is above one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.parity.fixtures import discover
from torch_utils.ops.bias_act import bias_act
from torch_utils.ops.conv2d_resample import conv2d_resample
from torch_utils.ops.modulated_conv2d import modulated_conv2d
from torch_utils.ops.resize import bilinear_antialiased
from torch_utils.ops.upfirdn2d import downsample2d, filter2d, setup_filter, upfirdn2d, upsample2d
from training.discriminator import minibatch_std
from training.layers import Conv2dLayer, FullyConnectedLayer, Noise, normalize_2nd_moment
from training.superresolution import SuperresolutionHybrid8XDC


def cases(name: str) -> list:
    """One parameter for each case of each file of an operator; the file's own where it has to be skipped."""
    found = []
    for file in discover(f"generator/ops/{name}*.json"):
        path = file.values[0]
        if path is None:
            found.append(file)
            continue
        for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
            found.append(pytest.param((path, case), id=f"{path.stem}-{case['case']:02d}"))
    return found


def arrays_of(path: Path, number: int) -> dict[str, torch.Tensor]:
    start = f"case{number:02d}/"
    with np.load(path.with_suffix(".npz")) as stored:
        return {key[len(start) :]: torch.from_numpy(stored[key]) for key in stored.files if key.startswith(start)}


def options(case: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: case[name] for name in names if name in case}


def assert_as_recorded(result: torch.Tensor, reference: torch.Tensor) -> None:
    np.testing.assert_allclose(
        result.detach().numpy(), reference.numpy(), rtol=0, atol=1e-5 * max(1.0, float(reference.abs().max()))
    )


@pytest.mark.parametrize("recorded", cases("bias_act"))
def test_bias_act(recorded: tuple[Path, dict]) -> None:
    path, case = recorded
    given = arrays_of(path, case["case"])
    result = bias_act(given["x"], given.get("b"), **options(case, "dim", "act", "alpha", "gain", "clamp"))
    assert_as_recorded(result, given["y"])


@pytest.mark.parametrize("recorded", cases("setup_filter"))
def test_setup_filter(recorded: tuple[Path, dict]) -> None:
    path, case = recorded
    result = setup_filter(case["f"], **options(case, "normalize", "flip_filter", "gain", "separable"))
    assert_as_recorded(result, arrays_of(path, case["case"])["out"])


@pytest.mark.parametrize("recorded", cases("upfirdn2d"))
def test_upfirdn2d(recorded: tuple[Path, dict]) -> None:
    path, case = recorded
    given = arrays_of(path, case["case"])
    operators = {"filter2d": filter2d, "upsample2d": upsample2d, "downsample2d": downsample2d}
    operator = operators[case["op"]] if "op" in case else upfirdn2d
    taps = None if "filter" in case and case["filter"] is None else given.get("f")
    result = operator(given["x"], taps, **options(case, "up", "down", "padding", "flip_filter", "gain"))
    assert_as_recorded(result, given["y"])


@pytest.mark.parametrize("recorded", cases("conv2d_resample"))
def test_conv2d_resample(recorded: tuple[Path, dict]) -> None:
    path, case = recorded
    given = arrays_of(path, case["case"])
    taps = None if "filter" in case and case["filter"] is None else given.get("f")
    named = options(case, "up", "down", "padding", "groups", "flip_weight", "flip_filter")
    assert_as_recorded(conv2d_resample(given["x"], given["w"], taps, **named), given["y"])


@pytest.mark.parametrize("recorded", cases("modulated_conv2d"))
def test_modulated_conv2d(recorded: tuple[Path, dict]) -> None:
    path, case = recorded
    given = arrays_of(path, case["case"])
    noise = None if case.get("noise_kind", "none") == "none" else given["noise"]
    named = options(case, "up", "padding", "demodulate", "flip_weight", "fused")
    taps = setup_filter([1, 3, 3, 1])
    result = modulated_conv2d(given["x"], given["w"], given["styles"], noise, resample_filter=taps, **named)
    assert_as_recorded(result, given["y"])


def layer_result(case: dict[str, Any], given: dict[str, torch.Tensor]) -> torch.Tensor:
    x, kind = given["x"], case["layer"]
    if kind == "normalize_2nd_moment":
        return normalize_2nd_moment(x)
    if kind == "minibatch_std":
        return minibatch_std(x, case["group_size"], case.get("num_channels", 1))
    if kind == "antialiased_resize":
        return bilinear_antialiased(x, case["size"])
    weight = given["weight"]
    has_bias = "bias" in given
    if kind == "fully_connected":
        layer = FullyConnectedLayer(
            weight.shape[1], weight.shape[0], bias=has_bias, **options(case, "activation", "lr_multiplier")
        )
    elif kind == "conv2d":
        named = options(case, "activation", "up", "down", "conv_clamp")
        layer = Conv2dLayer(weight.shape[1], weight.shape[0], weight.shape[2], bias=has_bias, **named)
    else:
        pytest.skip(f"no layer is called {kind}")
    stored = {key: given[key] for key in ("weight", "bias") if key in given}
    assert not layer.load_state_dict(stored, strict=False).unexpected_keys
    return layer(x, **options(case, "gain")) if kind == "conv2d" else layer(x)


@pytest.mark.parametrize("recorded", cases("layers"))
def test_layers(recorded: tuple[Path, dict]) -> None:
    path, case = recorded
    given = arrays_of(path, case["case"])
    assert_as_recorded(layer_result(case, given), given["y"])


@pytest.mark.parametrize("recorded", cases("superresolution"))
def test_superresolution(recorded: tuple[Path, dict]) -> None:
    path, case = recorded
    given = arrays_of(path, case["case"])
    if case.get("noise_mode") == "random":
        pytest.skip(f"{path.name} case {case['case']}: random noise was not recorded")
    x, ws = given["x"], given["ws"]
    if "weights_of" in case:
        with np.load(path.parents[1] / f"{case['weights_of']}.weights.npz") as stored:
            start = "G/superresolution."
            weights = {k[len(start) :]: torch.from_numpy(stored[k]) for k in stored.files if k.startswith(start)}
    else:
        weights = {key.removeprefix("weights/"): given[key] for key in given if key.startswith("weights/")}
    module = SuperresolutionHybrid8XDC(
        x.shape[1],
        512,
        sr_num_fp16_res=case.get("sr_num_fp16_res", 0),
        sr_antialias=case.get("sr_antialias", True),
        channels_hidden=case.get("channels_hidden", len(weights["block0.conv0.bias"])),
        w_dim=ws.shape[2],
        fused_modconv_default="inference_only",
    ).eval()
    module.load_state_dict(weights)
    assert x.shape[-1] == case.get("input_size", x.shape[-1])
    with torch.no_grad():
        y = module(x[:, :3], x, ws, Noise(case.get("noise_mode", "none")))
    assert_as_recorded(y[:, :, ::8, 1::8], given["y_stride8"])
