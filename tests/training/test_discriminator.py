"""The discriminator: statistics of groups, frozen layers, labels, sizes, derivatives, errors. Source: spec §1.2."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from _exchange.errors import InputError
from torch_utils.determinism import GeneratorDraws
from training.discriminator import DualDiscriminator, minibatch_std


def discriminator(size: int = 64, c_dim: int = 5, mode: str = "none", **options: Any) -> DualDiscriminator:
    torch.manual_seed(0)
    given = {"channel_base": 4 * size, "channel_max": 8, "mapping_kwargs": {"num_layers": 2}, **options}
    return DualDiscriminator(c_dim, size, 3, mode, **given)


def images(size: int = 64, batch: int = 4, raw: int = 16) -> dict[str, Tensor]:
    source = torch.Generator().manual_seed(1)
    return {
        "image": torch.randn(batch, 3, size, size, generator=source),
        "image_raw": torch.randn(batch, 3, raw, raw, generator=source),
    }


LABELS = torch.randn(4, 5, generator=torch.Generator().manual_seed(2))


def test_statistics_of_groups_by_hand() -> None:
    """Four samples in groups of two: 0 with 2, 1 with 3. Constant images ±d about their mean spread by d."""
    x = torch.tensor([1.0, 10.0, 5.0, 30.0])[:, None, None, None].expand(4, 2, 3, 3)
    after = minibatch_std(x, 2, 1)
    assert torch.equal(after[:, :2], x)
    torch.testing.assert_close(after[:, 2, 0, 0], torch.tensor([2.0, 10.0, 2.0, 10.0]))
    assert after[:, 2].std(dim=(1, 2)).max() == 0


def test_statistics_of_channels_apart() -> None:
    x = torch.zeros(2, 4, 2, 2)
    x[0, 2:] = 6
    after = minibatch_std(x, None, 2)
    torch.testing.assert_close(after[:, 4:, 0, 0], torch.tensor([[1e-4, 3.0]]).expand(2, 2))


@pytest.mark.parametrize("size", [64, 128, 256, 512, 1024])
@torch.no_grad()
def test_every_size(size: int) -> None:
    made = discriminator(size, num_fp16_res=4)
    assert made(images(size, 1), LABELS[:1]).shape == (1, 1)
    assert [r for r in made.resolutions if made.get_submodule(f"b{r}").use_fp16] == [
        size,
        size // 2,
        size // 4,
        size // 8,
    ]


@torch.no_grad()
def test_without_labels() -> None:
    made = discriminator(c_dim=0, epilogue_kwargs={"mbstd_num_channels": 0})
    assert not any(key.startswith("mapping") for key in made.state_dict())
    assert made.state_dict()["b4.out.weight"].shape == (1, 8)
    assert made.state_dict()["b4.conv.weight"].shape == (8, 8, 3, 3)
    whole = made(images(), None)
    torch.testing.assert_close(made({key: value[1:2] for key, value in images().items()}, None), whole[1:2])


@torch.no_grad()
def test_features_lengthen_the_label() -> None:
    made, feats = discriminator(mode="resnetcond_3"), torch.randn(4, 6)
    assert made.state_dict()["mapping.embed.weight"].shape == (8, 8)
    logits = made(images(), LABELS, {"resnet_feats": feats})
    feats[:, 3:] += 1
    assert torch.equal(made(images(), LABELS, {"resnet_feats": feats}), logits)
    feats[:, :3] += 1
    assert not torch.equal(made(images(), LABELS, {"resnet_feats": feats}), logits)


@torch.no_grad()
def test_noise_on_labels_leaves_the_label_alone() -> None:
    made, plain, kept = discriminator(disc_c_noise=0.5), discriminator(), LABELS.clone()
    noisy = made(images(), LABELS, draws=GeneratorDraws.seeded(1))
    assert torch.equal(LABELS, kept)
    drawn = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(noisy, plain(images(), LABELS + 0.5 * drawn * LABELS.std(0)))


def test_frozen_layers_are_buffers_behind_their_filter() -> None:
    made = discriminator(block_kwargs={"freeze_layers": 5})
    frozen = [name for name, _ in made.named_buffers() if name.endswith(("weight", "bias"))]
    expected = [f"b64.{layer}.{kind}" for layer in ("fromrgb", "conv0", "conv1") for kind in ("weight", "bias")]
    assert frozen == [*expected, "b64.skip.weight", "b32.conv0.weight", "b32.conv0.bias"]
    keys = list(made.state_dict())
    start = keys.index("b64.skip.resample_filter")
    assert keys[start : start + 6] == [
        "b64.skip.resample_filter",
        "b64.skip.weight",
        "b32.resample_filter",
        "b32.conv0.resample_filter",
        "b32.conv0.weight",
        "b32.conv0.bias",
    ]
    assert set(keys) == set(discriminator().state_dict())
    made.load_state_dict(discriminator().state_dict())


def test_gradients_of_gradients_reach_the_weights() -> None:
    """R1: the gradient of logits by both images is itself trained."""
    made = discriminator()
    given = {key: value.requires_grad_() for key, value in images().items()}
    logits = made(given, LABELS)
    slopes = torch.autograd.grad(logits.sum(), list(given.values()), create_graph=True)
    sum(slope.square().sum() for slope in slopes).backward()  # type: ignore[union-attr]
    assert all(made.get_parameter(f"b{r}.skip.weight").grad.abs().sum() > 0 for r in made.resolutions)


def test_the_trained_slope_is_that_of_the_penalty() -> None:
    """R1's derivative along a direction of all weights, against its change for a small step.

    Smooth activations, as a step may cross the kinks of the usual one; single precision leaves about 1e-4.
    """
    smooth = {"activation": "swish"}
    made = discriminator(block_kwargs=smooth, epilogue_kwargs=smooth, mapping_kwargs={"num_layers": 1, **smooth})
    given, source = {key: value.requires_grad_() for key, value in images().items()}, torch.Generator().manual_seed(4)
    weights = list(made.parameters())
    steps = [1e-3 * torch.randn(weight.shape, generator=source) for weight in weights]

    def penalty() -> Tensor:
        slopes = torch.autograd.grad(made(given, LABELS).sum(), list(given.values()), create_graph=True)
        return torch.stack([slope.double().square().sum() for slope in slopes]).sum()

    trained = torch.autograd.grad(penalty(), weights, allow_unused=True)
    expected = sum(float((g * s).sum()) for g, s in zip(trained, steps, strict=True) if g is not None)
    reached = []
    for scale in (1, -2):
        with torch.no_grad():
            torch._foreach_add_(weights, steps, alpha=scale)
        reached.append(penalty().item())
    assert (reached[0] - reached[1]) / 2 == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: discriminator(48), "img_resolution to be a power of two from 64 to 1024, found 48"),
        (lambda: discriminator(architecture="skip"), "architecture 'resnet'"),
        (
            lambda: discriminator(block_kwargs={"freeze": 1}),
            "block_kwargs with names out of freeze_layers, .*found 'freeze'",
        ),
        (lambda: discriminator(mapping_kwargs={"depth": 1}), "mapping_kwargs with names out of num_layers"),
        (lambda: discriminator(epilogue_kwargs={"groups": 1}), "epilogue_kwargs with names out of mbstd_group_size"),
        (lambda: discriminator(disc_c_noise=-1), "disc_c_noise to be a number of at least 0"),
        (lambda: discriminator(c_dim=-1), "c_dim to be a number of at least 0, found -1"),
        (lambda: discriminator(conv_clamp=-1), "conv_clamp to be a number of at least 0, found -1"),
        (lambda: discriminator(block_kwargs={"freeze_layers": "2"}), "freeze_layers to be a number of at least 0"),
        (lambda: discriminator()({"image": images()["image"]}, LABELS), "found no image_raw"),
        (lambda: discriminator()({k: v.byte() for k, v in images().items()}, LABELS), "of floats in .*torch.uint8"),
        (lambda: discriminator()({**images(), "image_raw": torch.zeros(4, 3, 0, 0)}, LABELS), "image_raw of shape"),
        (lambda: discriminator(128)(images(), LABELS), r"image of shape \(B, 3, 128, 128\), found \(4, 3, 64, 64\)"),
        (lambda: discriminator()({**images(), "image_raw": torch.zeros(3, 3, 8, 8)}, LABELS), "image_raw of shape"),
        (lambda: discriminator()(images(), LABELS[:3]), r"labels c of shape \(4, 5\), found shape \(3, 5\)"),
        (lambda: discriminator()(images(), None), "found none"),
        (lambda: discriminator()(images(batch=0), LABELS[:0]), r"image of shape .*found \(0, 3, 64, 64\)"),
        (lambda: discriminator()(images(batch=6), LABELS[[0, 1, 2, 3, 0, 1]]), "groups of 4 .* divide, found 6"),
        (lambda: discriminator(disc_c_noise=1)(images(), LABELS), "a source of random numbers"),
        (lambda: discriminator(mode="resnetcond_3")(images(), LABELS), "condition resnet_feats"),
        (lambda: minibatch_std(torch.zeros(2, 3, 4, 4), 2, 2), "mbstd_num_channels 2 divides, found 3"),
    ],
)
def test_what_does_not_fit_is_refused(call, sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=sentence):
        call()
