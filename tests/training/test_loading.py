"""Generators from what checkpoints hold, their names, and what the mapping is told of the camera."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from _exchange.errors import InputError
from tests.parity.fixtures import ROOT
from tests.training.small_generator import init_kwargs, inputs, rendering_kwargs, small_generator
from training.configurations import published
from training.labels import FFHQ_DISTANCE, FFHQ_FOCAL, conditioning_label
from training.loading import generator_from
from training.triplane import TriPlaneGenerator

LISTING = ROOT.parent / "spec" / "generator_state_dict.tsv"


def _listed(path: Path) -> list[tuple[str, str, str]]:
    with path.open() as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["network"] == "G"]
    return [(row["key"], row["shape"], row["kind"]) for row in rows if row["key"] != "dataset_label_std"]


@pytest.mark.skipif(not LISTING.is_file(), reason="the listing of the published state dict is absent")
def test_the_published_model_has_exactly_the_listed_tensors() -> None:
    generator = TriPlaneGenerator(**published())
    listed = _listed(LISTING)
    assert list(generator.state_dict()) == [key for key, _, _ in listed]
    parameters = dict(generator.named_parameters())
    for key, shape, kind in listed:
        tensor = generator.state_dict()[key]
        found = "x".join(str(side) for side in tensor.shape)
        assert found == shape or (tensor.ndim == 0 and shape in {"", "scalar", "1", "()"}), key
        assert (key in parameters) == kind.startswith("param"), key
    assert sum(p.numel() for p in parameters.values()) == 29_211_200


def test_a_generator_from_a_checkpoint_is_ready_for_the_evaluation() -> None:
    state = small_generator().state_dict()
    stored = rendering_kwargs(white_back=False)
    generator = generator_from(
        init_kwargs(),
        state,
        rendering_kwargs={**stored, "depth_resolution": 96, "depth_resolution_importance": 96},
        neural_rendering_resolution=96,
    )
    assert all(torch.equal(value, state[key]) for key, value in generator.state_dict().items())
    assert not generator.training
    assert not any(parameter.requires_grad for parameter in generator.parameters())
    assert generator.decoder.weights().plain_sigmoid
    assert (generator.sampling().depth_resolution, generator.sampling().depth_resolution_importance) == (96, 96)
    assert (generator.sampling().white_back, generator.neural_rendering_resolution) == (False, 96)


def test_wrong_state_dicts_are_refused_with_their_keys() -> None:
    state = small_generator().state_dict()
    first = "backbone.synthesis.b4.const"
    with pytest.raises(InputError, match=first):
        generator_from(init_kwargs(), {key: value for key, value in state.items() if key != first})
    with pytest.raises(InputError, match="dataset_label_std"):
        generator_from(init_kwargs(), {**state, "dataset_label_std": torch.zeros(25)})
    with pytest.raises(InputError, match=rf"{first} \(2,\) for \(16, 4, 4\)"):
        generator_from(init_kwargs(), {**state, first: torch.zeros(2)})
    with pytest.raises(InputError, match=f"NaN or infinity in {first}"):
        generator_from(init_kwargs(), {**state, first: torch.full((16, 4, 4), torch.nan)})
    with pytest.raises(InputError, match=r"b4.*and \d+ more"):
        generator_from(init_kwargs(), {})
    with pytest.raises(InputError, match="constructor arguments z_dim, w_dim, found c_dim"):
        generator_from({key: value for key, value in init_kwargs().items() if key not in {"z_dim", "w_dim"}}, state)


def test_styles_of_the_superresolution_are_as_wide_as_the_published_ones_where_a_file_says_so() -> None:
    """Spec §1: another `w_dim` can be constructed and loaded, but not rendered."""
    state = small_generator().state_dict()
    for key in [key for key in state if key.startswith("superresolution.") and key.endswith("affine.weight")]:
        state[key] = torch.ones(len(state[key]), 512)
    loaded = TriPlaneGenerator(**init_kwargs())
    loaded.load_state_dict(state, strict=True)
    for generator in (loaded, generator_from(init_kwargs(), state)):
        assert all(torch.equal(value, state[key]) for key, value in generator.state_dict().items())
        assert list(generator.state_dict()) == list(state)
    with pytest.raises(InputError, match=r"styles of shape \(1, n, 512\), found \(1, 6, 16\)"):
        loaded.f(inputs())


def _label() -> torch.Tensor:
    label = torch.arange(1.0, 26.0)[None]
    label[0, [3, 7, 11]] = torch.tensor([0.0, 0.6, 0.8])
    return label


def test_what_settings_make_of_a_label() -> None:
    assert torch.equal(conditioning_label(_label(), {"c_gen_conditioning_zero": False, "c_scale": 0.5}), _label() / 2)
    assert not conditioning_label(_label(), {"c_gen_conditioning_zero": False}).any(), "a missing scale is 0"
    assert not conditioning_label(_label(), {"c_gen_conditioning_zero": True, "c_scale": 1}).any()
    with pytest.raises(InputError, match="c_gen_conditioning_zero"):
        conditioning_label(_label(), {"c_scale": 1})


def test_the_pose_of_ffhq() -> None:
    settings = {"c_gen_conditioning_force_ffhq": True, "c_scale": 1.0}
    fixed = conditioning_label(_label(), {**settings, "c_gen_conditioning_zero": True})[0]
    assert fixed[:16].tolist() == pytest.approx([1, 0, 0, 0, 0, -1, 0, 0, 0, 0, -1, 2.7, 0, 0, 0, 1])
    assert fixed[16:].tolist() == pytest.approx([FFHQ_FOCAL, 0, 0.5, 0, FFHQ_FOCAL, 0.5, 0, 0, 1])
    moved = conditioning_label(_label(), {**settings, "c_gen_conditioning_zero": False})[0]
    assert moved[[3, 7, 11]].tolist() == pytest.approx([0, 0.6 * FFHQ_DISTANCE, 0.8 * FFHQ_DISTANCE])
    assert moved[:3].tolist() == [1, 2, 3]
