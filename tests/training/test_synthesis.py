"""The backbone: styles, noise, levels, injections, sizes and errors. Source: spec/generator.md §2.3 to §2.8."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import Tensor

from _exchange.errors import InputError
from torch_utils.determinism import GeneratorDraws, RecordedDraws
from torch_utils.ops.upfirdn2d import setup_filter, upsample2d
from training.blocks import BlockOptions, SynthesisBlock
from training.layers import Noise
from training.synthesis import Backbone, SynthesisNetwork

MODE = "ortho_front.cond_img_norm_4.concatfront.crossavg_4.reschonk_add_4.inj_6b_4"


def network(size: int = 16, mode: str = MODE, **options: object) -> SynthesisNetwork:
    """A small backbone with noise that shows."""
    torch.manual_seed(0)
    made = SynthesisNetwork(5, size, 6, mode, channel_base=8 * size, channel_max=16, **options).eval()
    for name, parameter in made.named_parameters():
        if name.endswith(("noise_strength", "conv0.bias", "conv1.bias", "torgb.bias")):
            torch.nn.init.normal_(parameter)
    return made


def styles(made: SynthesisNetwork, batch: int = 1) -> Tensor:
    return torch.randn(batch, made.num_ws, 5, generator=torch.Generator().manual_seed(1))


def conditions(batch: int = 1) -> dict[str, Tensor]:
    source = torch.Generator().manual_seed(2)
    return {
        "image_ortho_front": torch.rand(batch, 3, 32, 32, generator=source),
        "resnet_chonk": torch.randn(batch, 4, 8, 8, generator=source),
    }


def seeded(seed: int = 0) -> Noise:
    return Noise("random", GeneratorDraws.seeded(seed), "backbone.synthesis.")


@pytest.mark.parametrize("size", [4, 8, 16, 32, 64, 128, 256, 512, 1024])
@torch.no_grad()
def test_every_size(size: int) -> None:
    made = SynthesisNetwork(5, size, 3, "ortho_front.concatfront", channel_base=4 * size, channel_max=4)
    assert made.num_ws == 2 * (size.bit_length() - 2)
    planes = made(torch.randn(1, made.num_ws, 5), {"image_ortho_front": torch.rand(1, 3, 8, 8)}, Noise("none"))
    assert planes.shape == (1, 3, size, size)
    assert torch.isfinite(planes).all()


def test_widths_of_latents_styles_and_labels_are_free() -> None:
    backbone = Backbone(7, 3, 5, img_resolution=8, img_channels=6, cond_mode="none", mapping_kwargs={"num_layers": 2})
    assert [name for name, _ in backbone.named_children()] == ["synthesis", "mapping"]
    ws = backbone.mapping(torch.randn(2, 7), torch.randn(2, 3))
    assert ws.shape == (2, backbone.num_ws, 5)
    assert backbone.synthesis(ws, {}, Noise("const")).shape == (2, 6, 8, 8)


@pytest.mark.parametrize("index", range(6))
@torch.no_grad()
def test_which_styles_act_where(index: int) -> None:
    """b4: 0, 1; b8: 1, 2, 3; b16: 3, 4, 5. Styles 1 and 3 feed one level's image and the next one's first layer."""
    made, changed = network(mode="none"), []
    ws = styles(made)
    seen: list[tuple[Tensor, Tensor]] = []
    made(ws, {}, Noise("none"), levels=lambda _, x, img: seen.append((x, img)))
    ws[:, index] += 1
    made(ws, {}, Noise("none"), levels=lambda _, x, img: changed.append((x, img)))
    first_x = {0: 0, 1: 1, 2: 1, 3: 2, 4: 2, 5: 3}[index]
    first_img = {0: 0, 1: 0, 2: 1, 3: 1, 4: 2, 5: 2}[index]
    for level in range(3):
        assert torch.equal(seen[level][0], changed[level][0]) == (level < first_x)
        assert torch.equal(seen[level][1], changed[level][1]) == (level < first_img)


@torch.no_grad()
def test_draws_are_asked_for_in_order_with_their_names() -> None:
    made, asked = network(), []

    class Listening(GeneratorDraws):
        def normal(self, name, shape, device="cpu"):  # type: ignore[no-untyped-def]
            asked.append((name, tuple(shape)))
            return super().normal(name, shape, device)

    made(styles(made, 2), conditions(2), Noise("random", Listening.seeded(0), "backbone.synthesis."), stop_level=0)
    layers = [(4, 1), (8, 0), (8, 1), (16, 0), (16, 1)]
    assert asked == [(f"backbone.synthesis.b{r}.conv{i}", (2, 1, r, r)) for r, i in layers]


@torch.no_grad()
def test_noise_modes() -> None:
    made = network()
    ws, cond = styles(made), conditions()
    constants = {
        f"pass0/{name.removesuffix('.noise_const')}": value[None, None].numpy()
        for name, value in made.named_buffers()
        if name.endswith("noise_const")
    }
    const = made(ws, cond, Noise("const"))
    assert torch.equal(const, made(ws, cond, Noise("random", RecordedDraws(constants))))
    assert torch.equal(made(ws, cond, seeded(3)), made(ws, cond, seeded(3)))
    assert not torch.allclose(made(ws, cond, seeded(3)), made(ws, cond, seeded(4)))
    assert not torch.allclose(made(ws, cond, Noise("none")), const)
    for name, parameter in made.named_parameters():
        if name.endswith("noise_strength"):
            parameter.zero_()
    assert torch.equal(made(ws, cond, Noise("none")), made(ws, cond, seeded()))


@torch.no_grad()
def test_an_injection_is_what_the_levels_did_not_see_yet() -> None:
    made, clean, after = network(), {}, {}
    ws, cond = styles(made), conditions()
    made(ws, cond, Noise("none"), levels=lambda level, x, img: clean.update({level: (x, img)}))
    injected = {"da_0": torch.ones(1, 16, 4, 4), "db_2": torch.ones(1, 6, 16, 16)}
    planes = made(ws, cond, Noise("none"), injected, levels=lambda level, x, img: after.update({level: (x, img)}))
    assert torch.equal(clean[0][0], after[0][0])
    assert not torch.allclose(clean[1][0], after[1][0])
    torch.testing.assert_close(planes, after[2][1] + 1)


@torch.no_grad()
def test_a_stopped_image_is_upsampled() -> None:
    made, seen = network(), {}
    ws, cond = styles(made), conditions()
    made(ws, cond, seeded(), levels=lambda level, x, img: seen.update({level: img}))
    f = setup_filter([1, 3, 3, 1])
    stopped = made(ws, cond, seeded(), {"db_0": torch.ones(1, 6, 4, 4)}, 0)
    torch.testing.assert_close(stopped, upsample2d(upsample2d(seen[0], f), f))
    assert torch.equal(made(ws, cond, seeded(), None, 2), seen[2])


@torch.no_grad()
def test_samples_of_a_batch_are_independent_and_inputs_stay() -> None:
    made = network()
    ws, cond = styles(made, 2), conditions(2)
    kept = [ws.clone(), *(value.clone() for value in cond.values())]
    both = made(ws, cond, Noise("const"))
    for b in range(2):
        alone = made(ws[b : b + 1], {key: value[b : b + 1] for key, value in cond.items()}, Noise("const"))
        torch.testing.assert_close(alone, both[b : b + 1])
    assert all(torch.equal(*pair) for pair in zip(kept, [ws, *cond.values()], strict=True))


@torch.no_grad()
def test_fused_where_the_default_says_so() -> None:
    results = {}
    for default in (True, False, "inference_only"):
        made = network(fused_modconv_default=default)
        for training in (True, False):
            results[default, training] = made.train(training)(styles(made), conditions(), Noise("const"))
    assert torch.equal(results[True, True], results[True, False])
    assert torch.equal(results["inference_only", False], results[True, False])
    assert torch.equal(results["inference_only", True], results[False, True])
    torch.testing.assert_close(results[True, True], results[False, True], atol=1e-4, rtol=1e-4)


def test_gradients_of_gradients_reach_the_styles() -> None:
    """Path length regularisation: the gradient of planes by styles is itself trained."""
    made = network().train()
    ws = styles(made).requires_grad_()
    planes = made(ws, conditions(), Noise("const"))
    (slope,) = torch.autograd.grad((planes * torch.randn_like(planes)).sum(), ws, create_graph=True)
    slope.square().sum().backward()
    assert made.b16.conv0.weight.grad is not None
    assert made.b16.conv0.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("fused", [True, False])
def test_the_trained_slope_is_that_of_the_path_lengths(fused: bool) -> None:
    """The derivative of squared slopes along a direction of all weights, against their change for a small step.

    Smooth activations, as a step may cross the kinks of the usual one; single precision leaves about 1e-4.
    """
    made = network(8, activation="swish", mode="none", fused_modconv_default=fused).train()
    ws, source = styles(made, 2).requires_grad_(), torch.Generator().manual_seed(4)
    seen, weights = torch.randn(2, 6, 8, 8, generator=source), list(made.parameters())
    steps = [1e-3 * torch.randn(weight.shape, generator=source) for weight in weights]

    def length() -> Tensor:
        (slope,) = torch.autograd.grad((made(ws, {}, Noise("const")) * seen).sum(), ws, create_graph=True)
        return slope.double().square().sum()

    trained = torch.autograd.grad(length(), weights, allow_unused=True)
    expected = sum(float((g * s).sum()) for g, s in zip(trained, steps, strict=True) if g is not None)
    reached = []
    for scale in (1, -2):
        with torch.no_grad():
            torch._foreach_add_(weights, steps, alpha=scale)
        reached.append(length().item())
    assert (reached[0] - reached[1]) / 2 == pytest.approx(expected, rel=2e-3)


def test_options_may_be_numpys() -> None:
    """Checkpoints hold both kinds of integers."""
    made = network(kernel_size=np.int64(3), num_fp16_res=np.int64(0))
    assert torch.equal(
        made(styles(made), conditions(), Noise("const")), network()(styles(made), conditions(), Noise("const"))
    )


@torch.no_grad()
def test_a_clamp_of_zero_leaves_no_image() -> None:
    made = network(mode="none", conv_clamp=0)
    assert not made(styles(made), {}, Noise("const")).any()


def test_options_of_blocks() -> None:
    made = network(use_noise=False, kernel_size=5, activation="swish", num_fp16_res=2)
    assert not any("noise" in key for key in made.state_dict())
    assert [block.use_fp16 for _, block in made.blocks()] == [False, True, True]
    assert [block.use_fp16 for _, block in network(num_fp16_res=1).blocks()] == [False, False, True]
    assert not any(block.use_fp16 for _, block in network(num_fp16_res=0).blocks())
    assert made(styles(made), conditions(), seeded()).dtype == torch.float32
    assert isinstance(made.b4, SynthesisBlock)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda n: n(torch.zeros(1, 5, 5), conditions(), Noise("none")), "styles of shape (B, 6, 5), found (1, 5, 5)"),
        (lambda n: n(styles(n)[:0], conditions(0), Noise("none")), "styles of shape (B, 6, 5), found (0, 6, 5)"),
        (
            lambda n: n(styles(n), conditions(), Noise("none"), {"da_1": torch.ones(9, 9)}),
            "latent_injection da_1 of shape (1, 16, 8, 8), or 1 for a number, found (9, 9)",
        ),
        (lambda n: n(styles(n), conditions(), Noise("none"), {"db_0": torch.ones(2, 6, 4, 4)}), "found (2, 6, 4, 4)"),
        (lambda n: n(styles(n), conditions(), Noise("none"), {"db_0": 1.0}), "latent_injection db_0"),
        (lambda n: n(styles(n), {}, Noise("none")), "condition image_ortho_front (B, 3, H, W), found no conditions"),
        (lambda n: n(styles(n), conditions(), Noise("none"), {"da_3": torch.ones(1)}), "found ['da_3']"),
        (lambda n: n(styles(n), conditions(), Noise("none"), None, 3), "stop_level from 0 to 2, or None, found 3"),
        (lambda n: Noise("some"), "noise mode random, const, none, found 'some'"),
        (lambda n: Noise("random"), "a source of random numbers for noise mode 'random'"),
        (lambda n: network(24), "a power of two from 4 to 1024, found 24"),
        (lambda n: network(architecture="orig"), "architecture 'skip'"),
        (lambda n: network(conv_clamp=-1), "conv_clamp to be a number of at least 0"),
        (lambda n: network(conv_clamp="256"), "conv_clamp to be a number of at least 0, found '256'"),
        (lambda n: network(conv_clamp=float("nan")), "conv_clamp to be a number of at least 0, found nan"),
        (lambda n: network(fused_modconv_default=[]), "'inference_only', found []"),
        (lambda n: network(resample_filter="1331"), "a filter of numbers, found '1331'"),
        (lambda n: network(kernel_size=2), "odd kernel_size"),
        (lambda n: network(fused_modconv_default="no"), "'inference_only', found 'no'"),
        (lambda n: network(colour=1), "options of blocks with names out of conv_clamp, "),
        (lambda n: network(num_fp16_res=-1), "num_fp16_res to be a whole number of at least 0"),
        (lambda n: network(mode=MODE.replace("add_4", "add_32")), "reschonk_add of at most 16"),
        (lambda n: SynthesisNetwork(5, 16, 2, MODE), "at least 3 plane channels for inj_6b_4, found 2"),
        (lambda n: SynthesisNetwork(5, 16, 6, MODE, channel_max=2), "at least 3 channels in every block"),
        (lambda n: SynthesisNetwork(5, 16, 6, MODE, channel_base=8), "channel_base of at least the largest resolution"),
    ],
)
def test_what_does_not_fit_is_refused(call, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=re.escape(sentence)):
        call(network())


def test_defaults_of_blocks() -> None:
    """Spec §0.1: clamp 256 and fused unless something is said."""
    assert (BlockOptions().conv_clamp, BlockOptions().fused_modconv_default) == (256, True)
