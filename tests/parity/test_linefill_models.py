"""The line filler's networks, losses and whole procedure against recordings: spec/linefill.md §1, §4, §6."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.parity.devices import DEVICES, exact
from tests.parity.fixtures import discover
from training.linefill import fill_lines
from training.linefill_loss import LinePatches, discriminator_losses, generator_losses
from training.linefill_networks import blended, repainted_fast
from training.linefill_weights import linefill_from_state_dict

MODELS = discover("linefill/linefill_model*.npz")
WRAPPERS = discover("linefill/linefill_wrapper*.npz")
STEPS = {"gen": generator_losses, "dis": discriminator_losses}


def weights_beside(path: Path) -> dict[str, torch.Tensor]:
    """The weights file of the same ending, or the one without."""
    ending = re.sub(r"linefill_(model|wrapper)", "", path.stem)
    own = path.with_name(f"linefill_weights{ending}.safetensors")
    return load_file(own if own.exists() else path.with_name("linefill_weights.safetensors"))


def arrays_of(path: Path, needed: str) -> dict[str, np.ndarray]:
    arrays = dict(np.load(path, allow_pickle=False))
    if not any(name.startswith(needed) for name in arrays):
        pytest.skip(f"{path.name} has no {needed}")
    return arrays


def full_picture(arrays, device):
    """Picture (1, 3, H, W), mask and hull (1, 1, H, W)."""
    picture = torch.from_numpy(arrays["full/image_u8"]).permute(2, 0, 1)[None].float() / 255
    mask, hull = (torch.from_numpy(arrays[f"full/{name}"])[None, None].float() for name in ("mask", "hull"))
    return picture.to(device), mask.to(device), hull.to(device)


def patches_of(arrays, device):
    names = ("image", "line_mask", "face_hull")
    return LinePatches(*(torch.from_numpy(arrays[f"patch/{name}"]).to(device) for name in names))


def assert_near(ours, recorded, tolerance=1e-5):
    np.testing.assert_allclose(ours.detach().cpu().numpy(), recorded, rtol=0, atol=tolerance)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("path", MODELS)
def test_generator_and_blend(path, device):
    arrays = arrays_of(path, "full/")
    model = linefill_from_state_dict(weights_beside(path)).to(device)
    picture, mask, hull = full_picture(arrays, device)
    ways = {
        "out_pad": lambda: model.repainted(picture, mask, hull),
        "out_nopad": lambda: model.generator(model.generator_input(picture, mask, hull)),
        "blend": lambda: model(picture, mask, hull),
    }
    with exact(), torch.no_grad():
        for name, way in ways.items():
            if f"full/{name}" in arrays:
                assert_near(way(), arrays[f"full/{name}"])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("path", MODELS)
def test_fast_form(path, device):
    arrays = arrays_of(path, "full/blend")
    model = linefill_from_state_dict(weights_beside(path)).to(device)
    picture, mask, hull = full_picture(arrays, device)
    with exact():
        assert_near(blended(picture, mask, repainted_fast(model, picture, mask, hull)), arrays["full/blend"])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("path", MODELS)
def test_discriminator(path, device):
    arrays = arrays_of(path, "patch/D_logits_eval")
    model = linefill_from_state_dict(weights_beside(path)).to(device)
    patches = patches_of(arrays, device)
    with exact(), torch.no_grad():
        logits = model.logits(patches.image.flatten(0, 1), patches.face_hull.flatten(0, 1))
    assert_near(logits.view(-1, 2), arrays["patch/D_logits_eval"])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("path", MODELS)
def test_training_steps(path, device):
    arrays = arrays_of(path, "step")
    for step in sorted({name.split("/")[0] for name in arrays if name.startswith("step")}):
        check_step(arrays, step, weights_beside(path), device)


def check_step(arrays, step, weights, device):
    """Losses, gradients and batch statistics of one step from the given weights."""
    logs = {match[1]: name for name in arrays if (match := re.fullmatch(rf"{step}/log/train_(\w+)", name))}
    (network,) = {name.split("_")[0] for name in logs}
    model = linefill_from_state_dict(weights).to(device).train()
    with exact():
        losses = STEPS[network](model, patches_of(arrays, device), "paper")
        losses.total.backward()
    assert_near(losses.total, arrays[f"{step}/loss"])
    parts = {"loss": losses.total, "loss_l1": losses.l1, "loss_adv": losses.adversarial}
    for name, place in logs.items():
        assert_near(parts[name.removeprefix(f"{network}_")], arrays[place])
    parameters, state = dict(model.named_parameters()), model.state_dict()
    for name, recorded in arrays.items():
        kind, _, tensor = name.removeprefix(f"{step}/").partition("/")
        if name.startswith(f"{step}/") and kind == "grad":
            assert_near(parameters[tensor].grad, recorded, 1e-3 * np.abs(recorded).max())
        elif name.startswith(f"{step}/") and kind == "after":
            assert_near(state[tensor], recorded)
    if network == "dis":
        assert all(parameter.grad is None for parameter in model.generator.parameters())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("path", WRAPPERS)
def test_whole_procedure(path, device):
    arrays = arrays_of(path, "out")
    model = linefill_from_state_dict(weights_beside(path)).to(device)
    with exact():
        filled = fill_lines(model, arrays["rgba"], arrays["keypoints"])
    if "out" in arrays:
        np.testing.assert_allclose(filled.rgba.transpose(2, 0, 1), arrays["out"], rtol=0, atol=1e-5)
    if "out_u8" in arrays:
        assert np.abs(filled.rgba_bytes.astype(int) - arrays["out_u8"]).max() <= 1
