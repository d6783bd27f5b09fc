"""Mapping, backbone and super-resolution of every recorded case, each from the stored stage before it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.parity.fixtures import discover
from torch_utils.determinism import Draws, GeneratorDraws, RecordedDraws
from training.layers import Noise
from training.prepared import prepare_superresolution, prepare_synthesis
from training.superresolution import SuperresolutionHybrid8XDC
from training.synthesis import Backbone
from training.triplane import shifted

STYLES, FEATURES = 2e-5, 5e-5
"""Tolerances of the README; seen between runs of the original: 3e-6 and 5e-6."""
IMAGE = 5e-5
"""Super-resolution alone, times the deviation of the image: measured 3e-6, and convolutions sum in any order."""
SYNTHESIS_OPTIONS = ("channel_base", "channel_max", "num_fp16_res", "conv_clamp", "fused_modconv_default")
SYNTHESIS_OPTIONS += ("fp16_channels_last", "use_noise", "activation", "resample_filter", "kernel_size", "architecture")


@dataclass
class Case:
    """One recorded call of G.f."""

    name: str
    config: dict[str, Any]
    arrays: dict[str, torch.Tensor]
    weights: dict[str, torch.Tensor]

    @classmethod
    def read(cls, path: Path) -> Case:
        config = json.loads(path.read_text(encoding="utf-8"))
        if "G_init_kwargs" not in config or not path.with_name(f"{path.stem}.weights.npz").exists():
            pytest.skip(f"{path.name} is no case of G.f")
        with np.load(path.with_name(f"{path.stem}.io.npz")) as file:
            arrays = {key: torch.from_numpy(file[key]) for key in file.files}
        with np.load(path.with_name(f"{path.stem}.weights.npz")) as file:
            weights = {key: torch.from_numpy(file[key]) for key in file.files}
        return cls(path.stem, config, arrays, weights)

    def below(self, start: str, source: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {key.removeprefix(start): value for key, value in source.items() if key.startswith(start)}

    @property
    def arguments(self) -> dict[str, Any]:
        return self.config["G_init_kwargs"]

    @property
    def rendering(self) -> dict[str, Any]:
        return {**self.arguments.get("rendering_kwargs", {}), **self.config.get("rendering_overrides", {})}

    def require(self, *keys: str) -> None:
        for key in keys:
            if key not in self.arrays:
                pytest.skip(f"{self.name} has no array {key}")

    def backbone(self) -> Backbone:
        given, cond_mode = self.arguments, self.arguments["cond_mode"]
        added = [int(flag.removeprefix("resnetcond_")) for flag in cond_mode.split(".") if "resnetcond_" in flag]
        network = Backbone(
            given["z_dim"],
            given["c_dim"] + sum(added),
            given["w_dim"],
            img_resolution=given.get("backbone_resolution", 256),
            img_channels=3 * given.get("triplane_width", 32) * given["rendering_kwargs"].get("triplane_depth", 1),
            cond_mode=cond_mode,
            mapping_kwargs=given.get("mapping_kwargs", {}),
            **{name: given[name] for name in SYNTHESIS_OPTIONS if name in given},
        ).eval()
        network.load_state_dict(self.below("G/backbone.", self.weights))
        return network

    def conditions(self) -> dict[str, torch.Tensor]:
        names = ("resnet_chonk", "resnet_feats")
        found = {name: self.arrays[f"in/{name}"] for name in names if f"in/{name}" in self.arrays}
        if "in/image_ortho_front_u8" in self.arrays:
            found["image_ortho_front"] = self.arrays["in/image_ortho_front_u8"].float() / 255
        return found

    def draws(self) -> Draws:
        recorded = self.below("rng/", self.arrays)
        if recorded:
            return RecordedDraws({key: value.numpy() for key, value in recorded.items()})
        if "manual_seed_before_f" not in self.config:
            pytest.skip(f"{self.name} has neither random numbers nor their seed")
        return GeneratorDraws.seeded(self.config["manual_seed_before_f"])

    def backbone_noise(self) -> Noise:
        return Noise(self.config.get("f_args", {}).get("noise_mode", "random"), self.draws(), "backbone.synthesis.")

    def injection(self) -> dict[str, torch.Tensor]:
        return self.below("in/latent_injection/", self.arrays)

    def styles_used(self) -> torch.Tensor:
        """The stored styles with ``dw`` and ``dws``, which are added to those in use only."""
        return shifted(self.arrays["mid/ws"], self.injection())


def near(result: torch.Tensor, reference: torch.Tensor, tolerance: float) -> None:
    np.testing.assert_allclose(result.numpy(), reference.numpy(), rtol=0, atol=tolerance)


@pytest.mark.parametrize("path", discover("generator/*.json"))
def test_styles(path: Path) -> None:
    case = Case.read(path)
    case.require("mid/ws")
    if "in/ws" in case.arrays or not {"in/z", "in/zs"} & set(case.arrays):
        pytest.skip(f"{case.name} starts from styles, or from seeds alone")
    if case.rendering.get("c_gen_conditioning_force_ffhq") or "resnetcond" in case.arguments["cond_mode"]:
        pytest.skip(f"{case.name} changes its labels, which G.f does")
    network, ws = case.backbone(), case.arrays["mid/ws"]
    assert network.num_ws == case.config.get("num_ws", ws.shape[1]) == ws.shape[1]
    batch, count, _ = ws.shape
    zs = case.arrays["in/zs"] if "in/zs" in case.arrays else case.arrays["in/z"][:, None].repeat(1, count, 1)
    labels = case.arrays["mid/camera_params"] * case.rendering.get("c_scale", 0)
    if case.rendering["c_gen_conditioning_zero"]:
        labels = torch.zeros_like(labels)
    given = case.config.get("f_args", {})
    truncation = given.get("truncation_psi", 1), given.get("truncation_cutoff")
    with torch.no_grad():
        stacks = network.mapping(zs.flatten(0, 1), labels.repeat_interleave(count, 0), *truncation)
    own = stacks.reshape(batch, count, count, -1)[:, range(count), range(count)]
    near(own, ws, STYLES)


@pytest.mark.parametrize("path", discover("generator/*.json"))
def test_levels_and_planes(path: Path) -> None:
    case = Case.read(path)
    case.require("mid/ws", "mid/triplane")
    network, seen = case.backbone().synthesis, {}
    with torch.no_grad():
        planes = network(
            case.styles_used(),
            case.conditions(),
            case.backbone_noise(),
            case.injection(),
            case.config.get("f_args", {}).get("stop_level"),
            levels=lambda level, x, img: seen.update({f"mid/level{level}/x": x, f"mid/level{level}/img": img}),
        )
    near(planes.reshape(case.arrays["mid/triplane"].shape), case.arrays["mid/triplane"], FEATURES)
    for key in set(seen) & set(case.arrays):
        near(seen[key], case.arrays[key], FEATURES)


@pytest.mark.parametrize("path", discover("generator/*.json"))
def test_prepared_planes(path: Path) -> None:
    case = Case.read(path)
    case.require("mid/ws", "mid/triplane")
    if case.injection() or "stop_level" in case.config.get("f_args", {}):
        pytest.skip(f"{case.name} injects or stops, which the prepared form leaves to the plain one")
    prepared = prepare_synthesis(case.backbone().synthesis, case.arrays["mid/ws"], case.conditions())
    planes = prepared.planes(case.backbone_noise())
    near(planes.reshape(case.arrays["mid/triplane"].shape), case.arrays["mid/triplane"], FEATURES)


@pytest.mark.parametrize("path", discover("generator/*.json"))
def test_superresolution(path: Path) -> None:
    case = Case.read(path)
    case.require("mid/ws", "mid/feature_image")
    given, mode = case.arguments, case.rendering["superresolution_noise_mode"]
    if mode == "random" and not any("superresolution" in key for key in case.arrays):
        pytest.skip(f"{case.name} has no recorded noise of the super-resolution")
    module = SuperresolutionHybrid8XDC(
        case.arrays["mid/feature_image"].shape[1],
        given["img_resolution"],
        sr_num_fp16_res=given.get("sr_num_fp16_res", 0),
        sr_antialias=bool(given["rendering_kwargs"]["sr_antialias"]),
        channels_hidden=given.get("sr_channels_hidden", 256),
        w_dim=given["w_dim"],
        img_channels=given["img_channels"],
        **given.get("sr_kwargs", {}),
    ).eval()
    module.load_state_dict(case.below("G/superresolution.", case.weights))
    features, ws = case.arrays["mid/feature_image"], case.styles_used()
    rgb, noise = features[:, : given["img_channels"]], Noise(mode, case.draws(), "superresolution.")
    with torch.no_grad():
        plain = module(rgb, features, ws, noise)
    fast = prepare_superresolution(module, ws).image(rgb, features, noise)
    pasted = case.config["f_inputs"].get("paste_params") is not None
    arguments = {**case.config.get("f_args", {}), **case.config["f_inputs"]}
    normalized = arguments.get("normalize_images", False)
    compared = 0
    for stride in (1, 2, 4):
        key = f"out/image{'_prepaste' if pasted else ''}{'' if stride == 1 else f'_stride{stride}'}"
        if key in case.arrays:
            reference = case.arrays[key]
            scale = max(1.0, float(reference.std()))
            for image in (plain, fast):
                whole = torch.tanh(image) if case.rendering.get("tanh_rgb_output") else image
                whole = whole if normalized else 0.5 * whole + 0.5
                near(whole[:, :, ::stride, (stride > 1) :: stride], reference, IMAGE * scale)
            compared += 1
    if not compared:
        pytest.skip(f"{case.name} has no stored image")
