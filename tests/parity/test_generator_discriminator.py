"""The discriminator on recorded batches."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.parity.fixtures import discover
from training.discriminator import DualDiscriminator

TOLERANCE = 1e-4
"""README; seen between runs of the original: 1e-6."""


def built(entries: str, names: Mapping[str, object]) -> torch.Tensor:
    """The batch that a recipe like ``[2I-1, 0.5*vflip(I)]`` describes, entries along the batch."""
    arithmetic = re.sub(r"(\d)([A-Z])", r"\1*\2", entries)
    return torch.cat(eval(arithmetic, {"__builtins__": {}}, dict(names)))


def image_pair(recipe: str, stored: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    from_condition = "image_ortho_front" in recipe or "condition image" in recipe
    key = "in/image_ortho_front_u8" if from_condition else "out/image"
    if key not in stored or "out/image_raw" not in stored:
        pytest.skip(f"no array {key} or out/image_raw to build the batch of")
    image = torch.from_numpy(stored[key]).float() / (255 if from_condition else 1)
    names = {
        "I": image,
        "R": torch.from_numpy(stored["out/image_raw"]),
        "hflip": lambda x: x.flip(3),
        "vflip": lambda x: x.flip(2),
    }
    first, second = (entries for entries in re.findall(r"\[[^\]]*\]", recipe) if re.search("[IR]", entries))
    return {"image": built(first, names), "image_raw": built(second, names)}


@pytest.mark.parametrize("path", discover("generator/*.json"))
def test_logits(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    if "D_input_recipe" not in case:
        pytest.skip(f"{path.name} has no batch for a discriminator")
    with np.load(path.with_name(f"{path.stem}.io.npz")) as file:
        stored = {key: file[key] for key in file.files}
    with np.load(path.with_name(f"{path.stem}.weights.npz")) as file:
        weights = {key[2:]: torch.from_numpy(file[key]) for key in file.files if key.startswith("D/")}
    network = DualDiscriminator(**case["D_init_kwargs"]).eval()
    network.load_state_dict(weights)
    images = image_pair(case["D_input_recipe"], stored)
    camera = torch.from_numpy(stored["D/in/camera"]) if "D/in/camera" in stored else None
    compared = 0
    for key, count in (("D/out/logits_batch4", len(images["image"])), ("D/out/logits_first_alone", 1)):
        if key in stored:
            first = {name: value[:count] for name, value in images.items()}
            with torch.no_grad():
                logits = network(first, None if camera is None else camera[:count], {})
            np.testing.assert_allclose(logits, stored[key], rtol=0, atol=TOLERANCE)
            compared += 1
    assert compared
