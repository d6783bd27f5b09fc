"""Filling a module from tensors of a file: any precision, all or nothing, sentences that name keys."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from _exchange.errors import InputError
from training.state_dicts import load_checked


def stored(**changes: object) -> dict[str, Tensor]:
    return {"weight": torch.full((2, 3), 0.5), "bias": torch.tensor([1.0, 2.0]), **changes}  # type: ignore[dict-item]


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_any_precision_fills_single(dtype: torch.dtype, device: str) -> None:
    module = nn.Linear(3, 2, device=device)
    load_checked(module, {name: tensor.to(dtype) for name, tensor in stored().items()}, "a layer")
    for name, tensor in stored().items():
        assert module.get_parameter(name).dtype == torch.float32
        assert torch.equal(module.get_parameter(name), tensor)


def test_the_module_does_not_share_memory_with_the_file() -> None:
    module, given = nn.Linear(3, 2), stored()
    load_checked(module, given, "a layer")
    with torch.no_grad():
        module.bias.zero_()
    assert torch.equal(given["bias"], torch.tensor([1.0, 2.0]))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"weight": torch.zeros(2, 3)}, "all tensors of a layer, found none of the names bias"),
        (stored(scale=torch.zeros(1)), "only tensors of a layer, found also scale"),
        (stored(bias=torch.zeros(3)), r"the shapes of a layer, found bias \(3,\) for \(2,\)"),
        (stored(bias=torch.zeros(2, dtype=torch.int64)), r"found bias whole \(2,\) for \(2,\)"),
        (stored(bias=torch.zeros(2, dtype=torch.complex64)), r"found bias complex \(2,\) for \(2,\)"),
        (stored(bias=[1.0, 2.0]), r"found bias list for \(2,\)"),
        (stored(bias=torch.tensor([1.0, float("nan")])), "finite numbers in a layer, found NaN or infinity in bias"),
        (stored(bias=torch.tensor([1.0, 1e300], dtype=torch.float64)), "found NaN or infinity in bias"),
    ],
)
def test_what_does_not_fit_leaves_the_module_alone(given: dict[str, Tensor], sentence: str) -> None:
    module = nn.Linear(3, 2)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(InputError, match=sentence):
        load_checked(module, given, "a layer")
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_many_names_are_cut_short() -> None:
    given = {**stored(), **{f"extra{i}": torch.zeros(1) for i in range(7)}}
    with pytest.raises(InputError, match=r"found also extra0, extra1, extra2, extra3, extra4 and 2 more\."):
        load_checked(nn.Linear(3, 2), given, "a layer")
