"""The decoder, alone and at stored points of whole cases. Source: spec/generator.md §6.1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.parity.generator_cases import (
    ENGINES,
    assert_close,
    assert_operator,
    case_parameters,
    engine,
    load_case,
    operator_arrays,
    operator_cases,
)
from training.decoder import OSGDecoder


@pytest.mark.parametrize(("settings", "path"), operator_cases("decoder"))
def test_the_decoder(settings: dict[str, Any], path: Path) -> None:
    arrays = operator_arrays(settings, path)
    (hidden, width), outputs = arrays["w0"].shape, len(arrays["w2"]) - 1
    decoder = OSGDecoder(width, hidden=hidden, outputs=outputs, lr_multiplier=settings.get("lr_mul", 1))
    stored = {"net.0.weight": "w0", "net.0.bias": "b0", "net.2.weight": "w2", "net.2.bias": "b2"}
    decoder.load_state_dict({key: arrays[name] for key, name in stored.items()})
    decoder.set_force_sigmoid(bool(settings.get("force_sigmoid")))
    decoded = decoder(arrays["x"])
    assert_operator(decoded.features, arrays["rgb"])
    assert_operator(decoded.sigma, arrays["sigma"])


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("samples", ["coarse", "fine"])
@pytest.mark.parametrize("path", case_parameters())
def test_the_field_at_stored_points(path: Path, samples: str, name: str) -> None:
    case = load_case(path)
    if case.sampling().density_noise:
        pytest.skip("raw densities carry noise that is not stored")
    points = case.tensor(f"mid/{samples}_points_every16").flatten(1, 2)
    decoded = engine(name).decode(case.field(), points)
    sigma, colours = (case.tensor(f"mid/{samples}_{kind}_every16") for kind in ("sigma_raw", "rgb"))
    assert_close(decoded.sigma, sigma.flatten(1, 2), 5e-2)
    assert_close(decoded.features, colours.flatten(1, 2), 1e-4)
    assert_close(engine(name).sigma(case.field(), points), sigma.flatten(1, 2), 5e-2)
