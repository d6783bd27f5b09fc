"""The prepared networks against their plain twins. Tolerance: sums in another order; measured 1e-6 of the deviation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from _exchange.errors import InputError
from torch_utils.determinism import GeneratorDraws
from torch_utils.ops.upfirdn2d import setup_filter
from training.layers import Noise, NoiseMode
from training.prepared import prepare_superresolution, prepare_synthesis
from training.prepared_layers import TILED_FROM_CHANNELS, is_published_kind
from training.superresolution import SuperresolutionHybrid8XDC
from training.synthesis import SynthesisNetwork

BEST = "ortho_front.cond_img_norm_4.concatfront.crossavg_4.reschonk_add_4.inj_6b_4"
MODES = [BEST, "none", "crossavg_4", "ortho_front.inj_6b_4", "ortho_front.concatfront", "reschonk_add_2.crossavg_4"]
PREFIX = "backbone.synthesis."


def lively(module: torch.nn.Module) -> Any:
    """Every bias and noise strength at random, so that each shows."""
    source = torch.Generator().manual_seed(3)
    for name, parameter in module.named_parameters():
        if name.endswith(("noise_strength", "bias")):
            torch.nn.init.normal_(parameter, generator=source)
    return module.eval()


def backbone(size: int = 32, mode: str = BEST, **options: Any) -> SynthesisNetwork:
    torch.manual_seed(0)
    return lively(SynthesisNetwork(5, size, 6, mode, channel_base=16 * size, channel_max=20, **options))


def inputs(network: SynthesisNetwork, batch: int) -> tuple[Tensor, dict[str, Tensor]]:
    source = torch.Generator().manual_seed(1)
    ws = torch.randn(batch, network.num_ws, 5, generator=source)
    image = torch.rand(batch, 3, 48, 48, generator=source)
    return ws, {"image_ortho_front": image, "resnet_chonk": torch.randn(batch, 4, 8, 8, generator=source)}


def noise(mode: NoiseMode, prefix: str, seed: int = 5) -> Noise:
    return Noise(mode, GeneratorDraws.seeded(seed) if mode == "random" else None, prefix)


def assert_equal_to_rounding(fast: Tensor, plain: Tensor) -> None:
    assert fast.shape == plain.shape
    np.testing.assert_allclose(fast.numpy(), plain.numpy(), rtol=0, atol=1e-5 * max(1.0, float(plain.std())))


@pytest.mark.parametrize("size", [4, 8, 16, 32])
@pytest.mark.parametrize("mode", MODES)
@torch.no_grad()
def test_planes_of_every_mode_and_size(mode: str, size: int) -> None:
    network = backbone(size, "crossavg_4" if size < 8 and "reschonk" in mode else mode)
    ws, cond = inputs(network, 1)
    fast = prepare_synthesis(network, ws, cond).planes(noise("const", PREFIX))
    assert_equal_to_rounding(fast, network(ws, cond, noise("const", PREFIX)))


@pytest.mark.parametrize("mode", ["random", "const", "none"])
@pytest.mark.parametrize("conv_clamp", [None, 0.5])
@torch.no_grad()
def test_planes_of_every_noise_in_a_batch(mode: NoiseMode, conv_clamp: float | None) -> None:
    network = backbone(conv_clamp=conv_clamp)
    ws, cond = inputs(network, 2)
    prepared = prepare_synthesis(network, ws, cond)
    for seed in (5, 6):
        plain = network(ws, cond, noise(mode, PREFIX, seed))
        assert_equal_to_rounding(prepared.planes(noise(mode, PREFIX, seed)), plain)


@pytest.mark.parametrize(("more", "batch"), [(0, 1), (3, 2)])
@torch.no_grad()
def test_wide_layers_go_by_tiles(more: int, batch: int) -> None:
    torch.manual_seed(0)
    network = lively(SynthesisNetwork(5, 16, 6, BEST, channel_max=TILED_FROM_CHANNELS + more))
    ws, cond = inputs(network, batch)
    fast = prepare_synthesis(network, ws, cond).planes(noise("random", PREFIX))
    assert_equal_to_rounding(fast, network(ws, cond, noise("random", PREFIX)))


def test_a_result_does_not_change_with_the_next() -> None:
    network = backbone()
    prepared = prepare_synthesis(network, *inputs(network, 1))
    first = prepared.planes(noise("random", PREFIX, 1))
    kept = first.clone()
    prepared.planes(noise("random", PREFIX, 2))
    assert torch.equal(first, kept)
    assert torch.equal(prepared.planes(noise("random", PREFIX, 1)), kept)


@pytest.mark.parametrize("options", [{"activation": "swish"}, {"kernel_size": 5}, {"resample_filter": [1, 2, 1]}])
def test_unpublished_kinds_run_as_they_are(options: dict[str, Any]) -> None:
    network = backbone(16, **options)
    ws, cond = inputs(network, 1)
    assert not is_published_kind(network.b8)
    with torch.no_grad():
        plain = network(ws, cond, noise("const", PREFIX))
    assert torch.equal(prepare_synthesis(network, ws, cond).planes(noise("const", PREFIX)), plain)


def test_a_filter_of_its_own_in_one_layer_shows() -> None:
    """Filters are in the state dict; a layer may have another than its block."""
    network = backbone(16)
    network.b16.conv0.resample_filter.copy_(setup_filter([1, 1, 1, 1]))
    ws, cond = inputs(network, 1)
    with torch.no_grad():
        plain = network(ws, cond, noise("const", PREFIX))
    assert_equal_to_rounding(prepare_synthesis(network, ws, cond).planes(noise("const", PREFIX)), plain)


@pytest.mark.parametrize("weights", [torch.float32, torch.float64, torch.bfloat16])
@torch.no_grad()
def test_styles_and_weights_of_other_precisions(weights: torch.dtype) -> None:
    network = backbone(16).to(weights)
    ws, cond = inputs(network, 2)
    fast = prepare_synthesis(network, ws.double(), cond).planes(noise("const", PREFIX))
    assert fast.dtype == torch.float32
    assert_equal_to_rounding(fast, network(ws.double(), cond, noise("const", PREFIX)))


@torch.no_grad()
def test_what_is_no_number_is_none_in_the_planes() -> None:
    """A style of one sample of two: all planes of that sample, as in the plain twin, and none of the other's."""
    torch.manual_seed(0)
    network = lively(SynthesisNetwork(5, 16, 6, "none", channel_max=TILED_FROM_CHANNELS))
    ws, _ = inputs(network, 2)
    ws[0, 2, 1] = float("nan")
    fast = prepare_synthesis(network, ws, None).planes(noise("const", PREFIX))
    assert torch.equal(fast.isnan(), network(ws, None, noise("const", PREFIX)).isnan())
    assert fast[0].isnan().all()
    assert torch.isfinite(fast[1]).all()


@torch.no_grad()
def test_features_and_styles_of_double_precision() -> None:
    torch.manual_seed(0)
    module = lively(SuperresolutionHybrid8XDC(8, 64, sr_num_fp16_res=0, sr_antialias=True, channels_hidden=6, w_dim=5))
    x, ws = torch.randn(1, 8, 20, 20).double(), torch.randn(1, 3, 5).double()
    fast = prepare_superresolution(module, ws).image(x[:, :3], x, noise("none", "superresolution."))
    assert fast.dtype == torch.float32
    assert_equal_to_rounding(fast, module(x[:, :3], x, ws, noise("none", "superresolution.")))


@pytest.mark.parametrize("mode", ["none", "random", "const"])
@pytest.mark.parametrize("half", [0, 4])
@pytest.mark.parametrize("r", [16, 24])
@torch.no_grad()
def test_superresolution(mode: NoiseMode, half: int, r: int) -> None:
    torch.manual_seed(0)
    module = lively(
        SuperresolutionHybrid8XDC(8, 64, sr_num_fp16_res=half, sr_antialias=True, channels_hidden=6, w_dim=5)
    )
    x, ws = 100 * torch.randn(2, 8, r, r), torch.randn(2, 3, 5)
    plain = module(x[:, :3], x, ws, noise(mode, "superresolution."))
    fast = prepare_superresolution(module, ws).image(x[:, :3], x, noise(mode, "superresolution."))
    assert_equal_to_rounding(fast, plain)


def test_what_does_not_fit_is_refused() -> None:
    network = backbone()
    ws, cond = inputs(network, 1)
    with pytest.raises(InputError, match="styles of shape"):
        prepare_synthesis(network, ws[:, 1:], cond)
    with pytest.raises(InputError, match=r"styles of shape \(B, 8, 5\), found \(0, 8, 5\)"):
        prepare_synthesis(network, ws[:0], cond)
    with pytest.raises(InputError, match="condition image_ortho_front"):
        prepare_synthesis(network, ws, {})
    module = SuperresolutionHybrid8XDC(8, 64, sr_num_fp16_res=0, sr_antialias=True, channels_hidden=6, w_dim=5)
    with pytest.raises(InputError, match=r"styles of shape \(1, n, 5\), found \(1, 3, 4\)"):
        prepare_superresolution(module, torch.zeros(1, 3, 4))
