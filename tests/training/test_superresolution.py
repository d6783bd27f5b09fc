"""The super-resolution: sizes, widths, resizing, clamp, errors. Source: spec/generator.md §6.2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from _exchange.errors import InputError
from torch_utils.determinism import GeneratorDraws
from training.layers import Noise
from training.superresolution import SuperresolutionHybrid8XDC


def module(size: int = 64, **options: Any) -> SuperresolutionHybrid8XDC:
    torch.manual_seed(0)
    given = {"sr_num_fp16_res": 4, "sr_antialias": True, "channels_hidden": 6, "w_dim": 5, **options}
    return SuperresolutionHybrid8XDC(8, size, **given).eval()


def features(r: int, batch: int = 1) -> Tensor:
    return torch.randn(batch, 8, r, r, generator=torch.Generator().manual_seed(1))


WS = torch.randn(1, 3, 5, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("size", [64, 128, 256, 512, 1024])
@torch.no_grad()
def test_every_size_has_the_same_keys_and_widths(size: int) -> None:
    made, x = module(size), features(size // 4)
    shapes = {key: value.shape for key, value in made.state_dict().items() if "noise_const" not in key}
    assert shapes == {key: value.shape for key, value in module(512).state_dict().items() if "noise_const" not in key}
    assert made.block1.conv0.noise_const.shape == (size, size)
    assert made(x[:, :3], x, WS, Noise("none")).shape == (1, 3, size, size)


def test_numbers_of_checkpoints_may_be_numpys() -> None:
    made = module(np.int64(64), channels_hidden=np.int64(6))
    assert type(made.img_resolution) is int
    assert list(made.state_dict()) == list(module().state_dict())


@pytest.mark.parametrize("antialias", [True, False])
@torch.no_grad()
def test_features_of_another_size_are_resized_first(antialias: bool) -> None:
    made, x = module(sr_antialias=antialias), features(40)
    small = functional.interpolate(x, size=(16, 16), mode="bilinear", align_corners=False, antialias=antialias)
    result = made(x[:, :3], x, WS, Noise("none"))
    # PyTorch sums in another order for a slice than for whole images.
    torch.testing.assert_close(result, made(small[:, :3], small, WS, Noise("none")), atol=1e-5, rtol=0)


@pytest.mark.parametrize("fused", [True, False])
@torch.no_grad()
def test_other_precisions_give_single(fused: bool) -> None:
    made, x = module(fused_modconv_default=fused), features(20)
    expected = made(x[:, :3], x, WS, Noise("const"))
    result = made(x[:, :3].double(), x.double(), WS.double(), Noise("const"))
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=0)  # styles rounded later


@torch.no_grad()
def test_only_the_last_style_acts() -> None:
    made, x, other = module(), features(16), WS.clone()
    other[:, :-1] += 1
    assert torch.equal(made(x[:, :3], x, WS, Noise("none")), made(x[:, :3], x, other, Noise("none")))
    other[:, -1] += 1
    assert not torch.equal(made(x[:, :3], x, WS, Noise("none")), made(x[:, :3], x, other, Noise("none")))


@torch.no_grad()
def test_the_clamp_comes_with_half_precision() -> None:
    x, results = 1e4 * features(16), {}
    for count in (0, 1):
        made = module(sr_num_fp16_res=count)
        results[count] = made(torch.zeros(1, 3, 16, 16), x, WS, Noise("none"))
    assert results[0].abs().max() > 1000 > 2 * 256 + 1 > results[1].abs().max()


@torch.no_grad()
def test_noise_of_its_own_layers() -> None:
    made, x, asked = module(), features(16), []

    class Listening(GeneratorDraws):
        def normal(self, name, shape, device="cpu"):  # type: ignore[no-untyped-def]
            asked.append(name)
            return super().normal(name, shape, device)

    made(x[:, :3], x, WS, Noise("random", Listening.seeded(0), "superresolution."))
    assert asked == [f"superresolution.block{b}.conv{i}" for b in range(2) for i in range(2)]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: module(96), "img_resolution to be a power of two from 64 to 1024, found 96"),
        (lambda: module(32), "from 64 to 1024, found 32"),
        (lambda: module(2048), "from 64 to 1024, found 2048"),
        (lambda: module(channels_hidden=1), "sr_channels_hidden of at least 2"),
        (lambda: module(sr_num_fp16_res="4"), "sr_num_fp16_res to be a whole number, found '4'"),
        (lambda: module(depth=3), "options of blocks with names out of"),
        (lambda: module()(features(16)[:, :2], features(16), WS, Noise("none")), "square images"),
        (lambda: module()(features(16)[:, :3], features(16), WS[..., :4], Noise("none")), "styles of shape"),
    ],
)
def test_what_does_not_fit_is_refused(call, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=sentence):
        call()
