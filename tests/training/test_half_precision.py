"""Blocks in half precision: which tensors change their type, and that results stay close. Source: spec §2.8, §1.2."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from training.blocks import SynthesisBlock
from training.discriminator import DualDiscriminator
from training.layers import Noise
from training.superresolution import SuperresolutionHybrid8XDC
from training.synthesis import SynthesisNetwork

CLOSE = {"rtol": 0, "atol": 0.05}
"""Half precision holds 11 bits; values of order 1 pass through four to ten layers."""


def backbone(**options: object) -> tuple[SynthesisNetwork, Tensor]:
    torch.manual_seed(0)
    network = SynthesisNetwork(5, 16, 6, "crossavg_4", channel_max=32, **options).eval()
    return network, torch.randn(2, network.num_ws, 5)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@torch.no_grad()
def test_features_are_half_and_the_image_is_not(layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch) -> None:
    network, ws = backbone(num_fp16_res=2)
    expected = network(ws, {}, Noise("const"))
    seen: list[tuple[torch.dtype, torch.dtype]] = []

    def forced(block: SynthesisBlock, device: torch.device) -> tuple[torch.dtype, torch.memory_format]:
        return (torch.float16 if block.use_fp16 else torch.float32), layout

    monkeypatch.setattr(SynthesisBlock, "layout", forced)
    result = network(ws, {}, Noise("const"), levels=lambda _, x, img: seen.append((x.dtype, img.dtype)))
    assert seen == [(torch.float32, torch.float32)] + 2 * [(torch.float16, torch.float32)]
    torch.testing.assert_close(result, expected, **CLOSE)
    assert not torch.equal(result, expected)


def test_off_cuda_everything_is_single() -> None:
    network, _ = backbone(num_fp16_res=4)
    assert network.b16.layout(torch.device("cpu")) == (torch.float32, torch.contiguous_format)
    assert network.b16.layout(torch.device("cuda")) == (torch.float16, torch.contiguous_format)
    network, _ = backbone(num_fp16_res=4, fp16_channels_last=True)
    assert network.b16.layout(torch.device("cuda")) == (torch.float16, torch.channels_last)
    assert network.b4.layout(torch.device("cuda")) == (torch.float32, torch.contiguous_format)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@torch.no_grad()
def test_on_cuda() -> None:
    torch.manual_seed(0)
    module = SuperresolutionHybrid8XDC(8, 64, sr_num_fp16_res=4, sr_antialias=True, channels_hidden=16, w_dim=5).eval()
    x, ws = torch.randn(2, 8, 16, 16), torch.randn(2, 3, 5)
    judge = DualDiscriminator(5, 64, 3, "none", channel_max=32).eval()
    images, labels = {"image": torch.randn(4, 3, 64, 64), "image_raw": torch.randn(4, 3, 16, 16)}, torch.randn(4, 5)
    here = module(x[:, :3], x, ws, Noise("const")), judge(images, labels)
    module, judge, x, ws = module.cuda(), judge.cuda(), x.cuda(), ws.cuda()
    images = {key: value.cuda() for key, value in images.items()}
    there = module(x[:, :3], x, ws, Noise("const")), judge(images, labels.cuda())
    for on_cpu, on_cuda in zip(here, there, strict=True):
        assert on_cuda.dtype == torch.float32
        torch.testing.assert_close(on_cuda.cpu(), on_cpu, **CLOSE)
