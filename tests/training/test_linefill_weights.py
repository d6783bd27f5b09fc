"""From tensors to a line filler: what is read from their shapes, and sentences for those that do not fit."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from _exchange.errors import InputError
from tests.parity.fixtures import REPOSITORY
from torch_utils.checkpoint import Checkpoint, ModuleRecord
from torch_utils.checkpoint.tensors import TensorSource
from training.linefill_networks import LineFiller, StackShape
from training.linefill_weights import linefill_from_checkpoint, linefill_from_state_dict

LISTING = REPOSITORY.parent / "shared" / "spec" / "linefill_state_dict.tsv"


@pytest.fixture
def tensors():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return dict(LineFiller().state_dict())


def checkpoint_of(tensors, **hyper_parameters):
    sources = {name: TensorSource(tensor.dtype, tuple(tensor.shape), tensor.clone) for name, tensor in tensors.items()}
    return Checkpoint("torch", {"state_dict": ModuleRecord("state_dict", sources, init_kwargs=hyper_parameters)})


# -- what fits --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not LISTING.exists(), reason="the listing of the published tensors is absent")
def test_tensors_are_those_of_the_published_listing(tensors):
    rows = [line.split("\t") for line in LISTING.read_text().splitlines()[1:]]
    listed = [(name, () if shape == "scalar" else tuple(map(int, shape.split("x")))) for name, shape, *_ in rows]
    assert [(name, tuple(tensor.shape)) for name, tensor in tensors.items()] == listed


shapes = st.builds(
    StackShape, depth=st.integers(2, 4), width=st.integers(1, 6), outputs=st.just(3), normalised=st.booleans(),
    use_hull=st.booleans(),
)  # fmt: skip


@given(generator=shapes, discriminator=shapes)
@settings(max_examples=15, derandomize=True, deadline=None)
def test_shapes_are_read_from_the_tensors(generator, discriminator):
    with torch.random.fork_rng(devices=[]):
        original = LineFiller(generator, discriminator)
    model = linefill_from_state_dict(original.state_dict())
    assert (model.generator_shape, model.discriminator_shape) == (generator, discriminator)
    for name, tensor in original.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor)


def test_model_is_ready_for_inference_and_owns_its_tensors(tensors):
    model = linefill_from_state_dict(tensors)
    assert not model.training
    model.generator[0].weight.data.zero_()
    assert tensors["generator.0.weight"].abs().max() > 0


def test_half_precision_files_fill_float32_networks(tensors):
    halves = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    weight = linefill_from_state_dict(halves).generator[3].weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, halves["generator.3.weight"].float())


def test_no_random_numbers_are_taken(tensors):
    before = torch.get_rng_state()
    linefill_from_state_dict(tensors)
    assert torch.equal(torch.get_rng_state(), before)


def test_order_of_the_tensors_does_not_matter(tensors):
    model = linefill_from_state_dict(dict(reversed(tensors.items())))
    assert torch.equal(model.generator[15].bias, tensors["generator.15.bias"])


# -- what does not ----------------------------------------------------------------------------------------------


def refused(tensors, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        linefill_from_state_dict(tensors)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 500


def test_missing_tensors_are_named(tensors):
    del tensors["generator.5.running_var"]
    refused(tensors, r"Expected all tensors of a line filler, found none of the names generator\.5\.running_var\.")


def test_many_missing_tensors_are_counted(tensors):
    few = {name: tensor for name, tensor in tensors.items() if tensor.ndim == 4 or "running_mean" in name}
    refused(few, r"none of the names generator\.0\.bias, .* and \d+ more")


def test_additional_tensors_are_named(tensors):
    refused(tensors | {"resnet.fc.weight": torch.zeros(1)}, r"found also resnet\.fc\.weight\.")


def test_signs_that_a_terminal_acts_on_are_escaped(tensors):
    refused(tensors | {"\x1b[2J": torch.zeros(1)}, re.escape(r"found also \x1b[2J."))


def test_misshapen_tensors_are_named_with_both_shapes(tensors):
    tensors["generator.3.bias"] = torch.zeros(31)
    refused(tensors, r"found generator\.3\.bias \(31,\) for \(32,\)\.")


@pytest.mark.parametrize("kind", [torch.int32, torch.complex64])
def test_numbers_of_another_kind_are_refused(tensors, kind):
    tensors["generator.3.bias"] = torch.zeros(32, dtype=kind)
    refused(tensors, r"generator\.3\.bias (whole|complex) \(32,\) for \(32,\)")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tensors, value):
    tensors["discriminator.3.weight"] = tensors["discriminator.3.weight"].clone()
    tensors["discriminator.3.weight"][0, 0, 0, 0] = value
    refused(tensors, r"Expected finite numbers in a line filler, found NaN or infinity in discriminator\.3\.weight\.")


@pytest.mark.parametrize("value", [None, "text", 3, [1.0]])
def test_values_that_are_no_tensors_are_refused(tensors, value):
    refused(tensors | {"generator.3.bias": value}, r"generator\.3\.bias (NoneType|str|int|list) for \(32,\)")


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_file_without_one_of_the_networks_is_refused(tensors, network):
    others = {name: tensor for name, tensor in tensors.items() if not name.startswith(network)}
    refused(others, rf"weights of convolutions such as {network}\.0\.weight")


def test_nothing_is_refused():
    refused({}, "found none among 0 tensors")


def test_input_channels_without_a_meaning_are_refused(tensors):
    refused(tensors | {"generator.0.weight": torch.zeros(32, 5, 3, 3)}, r"to take 3 channels, or 4 .*, found 5\.")


def test_kernels_of_another_size_are_refused(tensors):
    refused(tensors | {"generator.6.weight": torch.zeros(32, 32, 5, 5)}, r"generator\.6\.weight \(32, 32, 5, 5\)")


def test_gaps_between_positions_are_refused(tensors):
    tensors["generator.40.weight"] = tensors.pop("generator.15.weight")
    refused(tensors, r"none of the names generator\.15\.weight")


def test_layers_that_would_fill_the_memory_are_refused_before_they_are_made(tensors):
    """A first layer of 100,000 channels is 14 MB, the next one would be 360 GB."""
    refused(tensors | {"generator.0.weight": torch.zeros(100_000, 4, 3, 3)}, r"for \(100000,\)")
    refused(tensors | {"generator.0.weight": torch.zeros(2**40, 4, 0, 0)}, r"generator\.0\.")


def test_tensors_with_gaps_and_repeats_are_right(tensors):
    weight = tensors["generator.3.weight"]
    spread = torch.zeros(32, 32, 3, 6)
    spread[..., ::2] = weight
    tensors |= {"generator.3.weight": spread[..., ::2], "generator.3.bias": torch.tensor(0.5).expand(32)}
    model = linefill_from_state_dict(tensors)
    assert torch.equal(model.generator[3].weight, weight)
    assert model.generator[3].weight.is_contiguous()
    assert torch.equal(model.generator[3].bias, torch.full((32,), 0.5))


def test_weights_can_be_trained_on(tensors):
    assert all(parameter.requires_grad for parameter in linefill_from_state_dict(tensors).parameters())


# -- checkpoints ------------------------------------------------------------------------------------------------


def test_from_a_checkpoint(tensors):
    settings_of_the_original = {"gen_mask_input": True, "lerp_output": True, "patch_size": 9, "gen_depth": 6}
    model = linefill_from_checkpoint(checkpoint_of(tensors, model=settings_of_the_original, base={}))
    assert torch.equal(model.generator[0].weight, tensors["generator.0.weight"])


@pytest.mark.parametrize("hyper_parameters", [{}, {"model": {}}, {"model": None}])
def test_checkpoint_without_hyper_parameters_is_taken_as_published(tensors, hyper_parameters):
    assert isinstance(linefill_from_checkpoint(checkpoint_of(tensors, **hyper_parameters)), LineFiller)


@pytest.mark.parametrize(
    "given", [{"gen_mask_input": False}, {"lerp_output": False}, {"patch_size": 11}, {"patch_size": "\x1b[2J"}]
)
def test_procedures_that_no_tensor_tells_are_refused(tensors, given):
    (name,) = given
    with pytest.raises(InputError, match=f"Expected a line filler with {name} = ") as caught:
        linefill_from_checkpoint(checkpoint_of(tensors, model=given))
    assert "\x1b" not in str(caught.value)
