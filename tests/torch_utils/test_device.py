"""Devices by name, with refusals in one sentence; precision and repeatability set inside a block and put back after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch

from _exchange.errors import InputError, MissingComponent
from torch_utils.device import device_named, exact_float32, repeatable_cuda


def test_the_cpu_is_always_there() -> None:
    assert device_named("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["", "gpu", "CUDA", "cpu:0", "cuda:", "cuda:x", "cuda:-1", "mps"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="Expected a device out of cpu, cuda, cuda:N, found"):
        device_named(name)


def test_a_torch_without_cuda_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(MissingComponent, match=r"Expected a CUDA build of torch for device 'cuda', found torch \d"):
        device_named("cuda")


def test_a_machine_without_a_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingComponent, match=r"Expected a CUDA device for 'cuda:1', found none\. Check .*nvidia-smi"):
        device_named("cuda:1")


def test_gpus_are_counted_from_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    assert device_named("cuda") == torch.device("cuda:1")
    assert device_named("cuda:0") == torch.device("cuda:0")
    with pytest.raises(InputError, match="below cuda:2, found 'cuda:2'"):
        device_named("cuda:2")


def precision() -> tuple[str, ...]:
    backends: Any = torch.backends
    return tuple(part.fp32_precision for part in (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn))


def convolutions() -> tuple[bool, bool]:
    return torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark


@pytest.fixture
def careless() -> Iterator[None]:
    """TF32 everywhere, by the older settings, and convolutions chosen by the clock."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32, *convolutions()
    matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark = True, True, False, True
    yield
    matmul.allow_tf32, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark = before


@pytest.mark.parametrize(
    ("block", "state", "inside"),
    [(exact_float32, precision, ("ieee", "ieee", "ieee")), (repeatable_cuda, convolutions, (True, False))],
)
def test_settings_hold_inside_and_come_back_also_after_an_error(
    block: Callable[[], AbstractContextManager[None]],
    state: Callable[[], tuple[Any, ...]],
    inside: tuple[Any, ...],
    careless: None,
) -> None:
    before = state()
    assert before != inside
    with block():
        assert state() == inside
    assert state() == before
    with pytest.raises(KeyError), block():
        raise KeyError
    assert state() == before


def test_tf32_for_all_of_torch_is_overruled_too() -> None:
    """Only the newer settings know it; torch refuses to read the older ones then."""
    backends: Any = torch.backends
    before = backends.fp32_precision
    backends.fp32_precision = "tf32"
    try:
        outside = precision()
        assert outside[1:] == ("tf32", "tf32")
        with exact_float32():
            assert precision() == ("ieee", "ieee", "ieee")
        assert precision() == outside
    finally:
        backends.fp32_precision = before


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_product_keeps_more_digits_than_tf32_has() -> None:
    source = torch.Generator().manual_seed(0)
    a, b = (torch.randn(512, 512, generator=source) for _ in range(2))
    with exact_float32():
        found = (a.cuda() @ b.cuda()).cpu().double()
    assert float((found - a.double() @ b.double()).abs().max()) < 1e-3  # 2e-2 with TF32's 11 bits
