"""The line filler's two training steps: spec/linefill.md §6 in closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from training.linefill_loss import LinePatches, discriminator_losses, generator_losses, label_targets
from training.linefill_networks import LineFiller, StackShape

PAIRS = 3


@pytest.fixture
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LineFiller(StackShape(6, 8, 3), StackShape(4, 8, 16)).train()


@pytest.fixture
def patches():
    source = torch.Generator().manual_seed(1)
    image = torch.rand(PAIRS, 2, 3, 21, 21, generator=source)
    line_mask = (torch.rand(PAIRS, 2, 1, 21, 21, generator=source) < 0.3).float()
    face_hull = (torch.rand(PAIRS, 2, 1, 21, 21, generator=source) < 0.2).float()
    return LinePatches(image, line_mask, face_hull)


class FixedCritic(nn.Module):
    """Answers with the given numbers, in order, whatever it sees; keeps what it saw."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = torch.tensor(answers)

    def forward(self, seen):
        self.seen = seen
        return self.answers[:, None, None, None].expand(-1, 16, 1, 1)


def softplus(value):
    return math.log1p(math.exp(value))


# -- targets ----------------------------------------------------------------------------------------------------


def test_targets_of_the_published_model():
    assert label_targets(torch.tensor([0.0, 1.0]), "paper").tolist() == pytest.approx([0.4, 1.2])


def test_targets_as_they_were_meant():
    assert label_targets(torch.tensor([0.0, 1.0]), "corrected").tolist() == pytest.approx([0.1, 0.9])


@pytest.mark.parametrize(("smoothing", "floor", "ceiling"), [("paper", 0.4, 1.2), ("corrected", 0.1, 0.9)])
def test_adversarial_loss_is_softplus_less_target_times_logit(model, patches, smoothing, floor, ceiling):
    answers = (0.5, -1.5, 2.0, 0.0, -3.0, 1.0)
    model.discriminator = FixedCritic(*answers)
    expected = [softplus(z) - (ceiling if index % 2 else floor) * z for index, z in enumerate(answers)]
    losses = discriminator_losses(model, patches, smoothing)
    assert float(losses.adversarial) == pytest.approx(sum(expected) / len(expected), abs=1e-6)


@pytest.mark.parametrize(("smoothing", "target"), [("paper", 1.2), ("corrected", 0.9)])
def test_generator_wants_illustrations_to_pass_for_renders(model, patches, smoothing, target):
    answers = (0.5, -1.5, 2.0)
    model.discriminator = FixedCritic(*answers)
    expected = sum(softplus(z) - target * z for z in answers) / len(answers)
    assert float(generator_losses(model, patches, smoothing).adversarial) == pytest.approx(expected, abs=1e-6)


# -- what goes where --------------------------------------------------------------------------------------------


def test_critic_sees_repainted_patches_in_pairs(model, patches):
    """Illustration 0, render 0, illustration 1, …: both kinds repainted."""
    model.eval()
    model.discriminator = critic = FixedCritic(*[0.0] * 2 * PAIRS)
    discriminator_losses(model, patches, "paper")
    for index in range(2 * PAIRS):
        pair, kind = divmod(index, 2)
        parts = (patches.image, patches.line_mask, patches.face_hull)
        image, mask, hull = (part[pair, kind][None] for part in parts)
        expected = torch.cat([model(image, mask, hull), hull], dim=1)[0, :, 6:15, 6:15]
        torch.testing.assert_close(critic.seen[index], expected, rtol=0, atol=1e-5)


def test_generator_step_uses_illustrations_only(model, patches):
    model.eval()
    before = generator_losses(model, patches, "paper")
    image = patches.image.clone()
    image[:, 1] = 0
    after = generator_losses(model, LinePatches(image, patches.line_mask, patches.face_hull), "paper")
    assert (before.l1, before.adversarial) == (after.l1, after.adversarial)


def test_identity_loss_counts_all_pixels_and_only_masked_ones_differ(model, patches):
    model.eval()
    image, mask, hull = patches.image[:, 0], patches.line_mask[:, 0], patches.face_hull[:, 0]
    repainted = model.repainted(image, mask, hull)
    expected = (mask * (repainted - image)).abs().sum() / (PAIRS * 3 * 21 * 21)
    torch.testing.assert_close(generator_losses(model, patches, "paper").l1, expected)


def test_nothing_to_repaint_costs_nothing(model, patches):
    untouched = LinePatches(patches.image, 0 * patches.line_mask, patches.face_hull)
    assert generator_losses(model, untouched, "paper").l1.item() == 0


def test_total_is_the_sum(model, patches):
    losses = generator_losses(model.eval(), patches, "paper")
    assert float(losses.total.detach()) == pytest.approx(float((losses.l1 + losses.adversarial).detach()))


# -- gradients and statistics -----------------------------------------------------------------------------------


def test_critics_step_leaves_the_generator_alone(model, patches):
    discriminator_losses(model, patches, "paper").total.backward()
    assert all(parameter.grad is None for parameter in model.generator.parameters())
    assert all(parameter.grad is not None for parameter in model.discriminator.parameters())


def test_generators_step_reaches_the_generator_through_the_critic(model, patches):
    losses = generator_losses(model, patches, "paper")
    first = model.generator[0].weight
    (gradient,) = torch.autograd.grad(losses.adversarial, first)
    assert gradient.abs().max() > 0


@pytest.mark.parametrize("step", [generator_losses, discriminator_losses])
def test_both_networks_count_every_step(model, patches, step):
    step(model, patches, "paper")
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert [int(norm.num_batches_tracked) for norm in norms] == [1] * len(norms)
    assert len(norms) == 8


def test_patches_are_not_written_to(model, patches):
    copies = [part.clone() for part in (patches.image, patches.line_mask, patches.face_hull)]
    generator_losses(model, patches, "paper")
    discriminator_losses(model, patches, "paper")
    for part, copy in zip((patches.image, patches.line_mask, patches.face_hull), copies):
        assert torch.equal(part, copy)
