"""The line filler's networks: spec/linefill.md §4 by counts, layer by layer and by what each output can see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from _exchange.errors import InputError
from training.linefill_networks import (
    BAND,
    DISCRIMINATOR_SHAPE,
    GENERATOR_SHAPE,
    LineFiller,
    StackShape,
    blended,
    repainted_fast,
)


@pytest.fixture
def model():
    return seeded_model()


def seeded_model(generator=GENERATOR_SHAPE, discriminator=DISCRIMINATOR_SHAPE, seed=0):
    """A model in evaluation mode whose normalisations change values as those of a trained one do."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LineFiller(generator, discriminator)
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                for tensor in (layer.weight.data, layer.running_var):
                    tensor.uniform_(0.5, 1.5)
                for tensor in (layer.bias.data, layer.running_mean):
                    tensor.uniform_(-0.3, 0.3)
    return model.eval()


def picture_mask_hull(height, width, seed=0):
    rng = np.random.default_rng(seed)
    image = torch.from_numpy(rng.random((1, 3, height, width), np.float32))
    mask, hull = (torch.from_numpy((rng.random((1, 1, height, width)) < 0.3).astype(np.float32)) for _ in range(2))
    return image, mask, hull


def seen_from(output, image):
    """Rows and columns of the pixels that move one output."""
    (gradient,) = torch.autograd.grad(output, image)
    touched = gradient.abs().sum(dim=(0, 1)) > 0
    return touched.any(dim=1).nonzero().flatten().tolist(), touched.any(dim=0).nonzero().flatten().tolist()


# -- counts and layers ------------------------------------------------------------------------------------------


def test_numbers_of_parameters(model):
    assert sum(parameter.numel() for parameter in model.generator.parameters()) == 39_363
    assert sum(parameter.numel() for parameter in model.discriminator.parameters()) == 7_648


def test_normalisation_comes_after_the_activation(model):
    kinds = [type(layer) for layer in model.generator]
    assert kinds == [nn.Conv2d, nn.LeakyReLU, nn.BatchNorm2d] * 5 + [nn.Conv2d, nn.Tanh]
    assert [type(layer) for layer in model.discriminator] == [*kinds[:9], nn.Conv2d]
    norm, leak = model.generator[2], model.generator[1]
    assert (norm.eps, norm.momentum, leak.negative_slope) == (1e-5, 0.1, 0.01)


def test_generator_worked_by_hand(model):
    seen = torch.rand(2, 4, 15, 17, generator=torch.Generator().manual_seed(0))
    values, state = seen.double(), {name: tensor.double() for name, tensor in model.generator.state_dict().items()}
    for position in range(0, 18, 3):
        values = functional.conv2d(values, state[f"{position}.weight"], state[f"{position}.bias"])
        if position < 15:
            values = torch.where(values > 0, values, 0.01 * values)
            norm = {name: state[f"{position + 2}.{name}"][:, None, None] for name in ("weight", "bias")}
            mean, variance = (state[f"{position + 2}.running_{name}"][:, None, None] for name in ("mean", "var"))
            values = (values - mean) / torch.sqrt(variance + 1e-5) * norm["weight"] + norm["bias"]
    torch.testing.assert_close(model.generator(seen).double(), torch.tanh(values), rtol=0, atol=1e-5)


# -- what is seen -----------------------------------------------------------------------------------------------


def test_receptive_field_is_thirteen(model):
    image, mask, hull = picture_mask_hull(31, 31)
    image.requires_grad_()
    rows, columns = seen_from(model.repainted(image, 0 * mask, hull)[0, :, 15, 14].sum(), image)
    assert (rows, columns) == (list(range(9, 22)), list(range(8, 21)))


def test_size_is_kept_by_repeating_the_edge(model):
    image, mask, hull = picture_mask_hull(5, 9)
    surrounded = [functional.pad(part, [6, 6, 6, 6], mode="replicate") for part in (image, mask, hull)]
    ours = model.repainted(image, mask, hull)
    assert ours.shape == image.shape
    torch.testing.assert_close(ours, model.generator(model.generator_input(*surrounded)), rtol=0, atol=1e-6)


def test_colours_of_lines_are_not_looked_at(model):
    image, mask, hull = picture_mask_hull(12, 12)
    other = torch.where(mask.bool(), 1 - image, image)
    torch.testing.assert_close(model.repainted(image, mask, hull), model.repainted(other, mask, hull), rtol=0, atol=0)


def test_hull_is_looked_at(model):
    image, mask, hull = picture_mask_hull(12, 12)
    assert not torch.equal(model.repainted(image, mask, hull), model.repainted(image, mask, 1 - hull))


def test_networks_without_hull_do_not_look_at_it():
    shape = StackShape(depth=3, width=4, outputs=3, use_hull=False)
    model = seeded_model(shape, StackShape(depth=2, width=4, outputs=4, use_hull=False))
    image, mask, hull = picture_mask_hull(21, 21)
    assert torch.equal(model.repainted(image, mask, hull), model.repainted(image, mask, 1 - hull))
    assert torch.equal(model.logits(image, hull), model.logits(image, 1 - hull))


def test_critic_sees_the_central_nine(model):
    image, _, hull = picture_mask_hull(21, 25)
    image.requires_grad_()
    rows, columns = seen_from(model.logits(image, hull).sum(), image)
    assert (rows, columns) == (list(range(6, 15)), list(range(8, 17)))


def test_logit_is_the_mean_of_sixteen_outputs(model):
    image, _, hull = picture_mask_hull(9, 9)
    outputs = model.discriminator(torch.cat([image, hull], dim=1))
    assert outputs.shape == (1, 16, 1, 1)
    torch.testing.assert_close(model.logits(image, hull), outputs.flatten().mean()[None])


def test_blend_moves_masked_pixels_only(model):
    image, mask, hull = picture_mask_hull(20, 20)
    result = model(image, mask, hull)
    torch.testing.assert_close(result, torch.where(mask.bool(), model.repainted(image, mask, hull), image))
    assert torch.equal(blended(image, 0 * mask, result), image)


# -- the fast form ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [GENERATOR_SHAPE, StackShape(2, 5, 3, normalised=False), StackShape(1, 3, 3)])
@pytest.mark.parametrize("size", [(1, 1), (BAND - 1, 9), (2 * BAND + 7, 20)])
def test_fast_form_agrees_with_the_plain_one(shape, size):
    """Under the mask; measured: at most 3e-7 apart, for weights are rounded once more."""
    model = seeded_model(shape)
    image, mask, hull = picture_mask_hull(*size)
    mask[..., 0, 0] = 1
    with torch.no_grad():
        plain = model.repainted(image, mask, hull)
    fast = repainted_fast(model, image, mask, hull)
    torch.testing.assert_close(mask * fast, mask * plain, rtol=0, atol=5e-6)
    assert (mask * fast).any()


def test_fast_form_skips_bands_without_lines(model):
    image, mask, hull = picture_mask_hull(2 * BAND, 8)
    mask[:, :, :BAND] = 0
    fast = repainted_fast(model, image, mask, hull)
    assert not fast[:, :, :BAND].any()
    with torch.no_grad():
        plain = model.repainted(image, mask, hull)
    torch.testing.assert_close(fast[:, :, BAND:], plain[:, :, BAND:], rtol=0, atol=5e-6)


# -- refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 21), (21, 7), (20, 21), (1, 1)])
def test_patches_that_have_no_central_nine_are_refused(model, size):
    image, _, hull = picture_mask_hull(*size)
    with pytest.raises(InputError, match="Expected patches with odd sides of at least 9 pixels"):
        model.logits(image, hull)


@pytest.mark.parametrize("shape", [StackShape(0, 8, 3), StackShape(3, 8, 4)])
def test_impossible_generators_are_refused(shape):
    with pytest.raises(InputError, match="Expected a generator with 3 outputs"):
        LineFiller(shape)


def test_critic_that_needs_more_pixels_is_refused():
    with pytest.raises(InputError, match="Expected a critic of at most 4 convolutions for 9 pixels, found 5"):
        LineFiller(discriminator=StackShape(5, 16, 16))
