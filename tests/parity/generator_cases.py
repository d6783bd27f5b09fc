"""Whole cases of the generator and cases of its operators, as parity tests take them (parity/generator/README.md).

A case is a JSON file with ``G_init_kwargs``; everything about it is read from its files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.parity.fixtures import discover
from torch_utils.determinism import Draws, GeneratorDraws, RecordedDraws
from training.engine.choose import engine_named
from training.engine.interface import Clearing, Engine, Field, Rays, Sampling
from training.rays import rays_from_images
from training.request import Request, read_request
from training.state_dicts import load_checked
from training.triplane import TriPlaneGenerator

ENGINES = ["plain", *(["fast"] if find_spec("training.engine.cpu") else [])]
"""Every test of the renderer and of whole cases runs with each."""
NEARLY_EMPTY = 1e-4
"""Opacities so small are sums of few roundings, 6e-8 each, of 1 − exp(−x), by which two good `exp` differ."""
ON_A_LIMIT = 1e-5
"""Raw densities so near a threshold may fall on either side (README, Points on a limit)."""
_TENSORS = ("elevations", "azimuths", "fovs", "distances")
_FROM_ARRAYS = (*_TENSORS, "z", "zs", "ws", "camera_params")


@dataclass(frozen=True, eq=False)
class Case:
    """One whole case.

    Attributes:
        settings: the JSON.
        arrays: inputs, random numbers, intermediates, outputs.
        generator: constructed, loaded strictly, overrides written.
    """

    settings: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    generator: TriPlaneGenerator

    def tensor(self, name: str) -> Tensor:
        """An array as float32; skips the test where the case lacks it."""
        if name not in self.arrays:
            pytest.skip(f"{self.settings['name']} has no {name}")
        return torch.from_numpy(self.arrays[name]).to(torch.float32)

    def inputs(self) -> dict[str, Any]:
        """The dict x of a fresh call."""
        x = dict(self.settings.get("f_inputs", {}))
        for name in _FROM_ARRAYS:
            if name in _TENSORS and name in x:
                x[name] = torch.tensor(x[name], dtype=torch.float32)
            elif f"in/{name}" in self.arrays and name not in x and not (name == "z" and "seeds" in x):
                x[name] = self.tensor(f"in/{name}")
        x["cond"] = self.conditions()
        rays = {
            key: self.tensor(f"in/{key}") for key in ("ray_origins", "ray_directions") if f"in/{key}" in self.arrays
        }
        if rays:
            x["force_rays"] = rays
        injected = {key.rpartition("/")[2]: key for key in self.arrays if key.startswith("in/latent_injection/")}
        if injected:
            x["latent_injection"] = {key: self.tensor(name) for key, name in injected.items()}
        return x

    def conditions(self) -> dict[str, Tensor]:
        """The condition dict."""
        names = [name for name in ("resnet_chonk", "resnet_feats") if f"in/{name}" in self.arrays]
        front = {}
        if "in/image_ortho_front_u8" in self.arrays:
            front["image_ortho_front"] = self.tensor("in/image_ortho_front_u8") / 255
        return {**front, **{name: self.tensor(f"in/{name}") for name in names}}

    def request(self) -> Request:
        """The call, read."""
        arguments = self.settings.get("f_args", {})
        normalize = bool(arguments.get("normalize_images", False))
        return read_request(self.inputs(), self.generator.expected(), normalize_images=normalize)

    def recorded(self) -> RecordedDraws:
        """The recorded random numbers."""
        return RecordedDraws({key[4:]: self.arrays[key] for key in self.arrays if key.startswith("rng/")})

    def draws(self) -> Draws:
        """The recorded random numbers, or the seeded stream where a kind of them was not recorded."""
        settings = self.generator.rendering_kwargs
        fresh = settings.get("superresolution_noise_mode") == "random"
        recorded = [key for key in self.arrays if key.startswith("rng/")]
        unrecorded = not recorded or (fresh and not any("superresolution." in key for key in recorded))
        if not unrecorded and not settings.get("density_noise"):
            return self.recorded()
        if self.settings.get("manual_seed_before_f") is None:
            pytest.skip(f"{self.settings['name']} draws numbers that are neither recorded nor seeded")
        return GeneratorDraws.seeded(self.settings["manual_seed_before_f"])

    def require_recorded(self) -> None:
        """Skip the test where not all random numbers were recorded."""
        if not isinstance(self.draws(), RecordedDraws):
            pytest.skip(f"{self.settings['name']} draws numbers that were not recorded")

    # -- what the renderer gets from stored intermediates ---------------------------------------------------------

    def field(self) -> Field:
        """The field of the stored planes."""
        return self.generator.field(self.tensor("mid/triplane"))

    def rays(self) -> Rays:
        """The stored rays."""
        return rays_from_images({key: self.tensor(f"mid/{key}") for key in ("ray_origins", "ray_directions")})

    def sampling(self) -> Sampling:
        """The live settings."""
        return self.generator.sampling()

    def clearing(self) -> Clearing:
        """The options that empty densities."""
        return self.request().clearing


def case_parameters() -> list:
    """Pytest parameters of the whole cases; cases with options that the best model does not use say so in their id."""
    parameters = []
    for parameter in discover("generator/*.json"):
        path = parameter.values[0]
        if path is None:
            parameters.append(parameter)
            continue
        settings = json.loads(path.read_text())
        if "weights_and_inputs_of" in settings or path.name.endswith(".expected.json"):
            continue
        label = f"{path.stem}{'-optional' if settings.get('optional') else ''}"
        missing = [part for part in (".io.npz", ".weights.npz") if not path.with_suffix(part).exists()]
        reason = "no G_init_kwargs" if "G_init_kwargs" not in settings else f"no {missing[0]}" if missing else ""
        marks = [pytest.mark.skip(reason=f"{path.name}: {reason}")] if reason else []
        parameters.append(pytest.param(path, id=label, marks=marks))
    return parameters


@lru_cache(maxsize=4)
def load_case(path: Path) -> Case:
    """The case of a JSON file."""
    settings = json.loads(path.read_text())
    with np.load(path.with_suffix(".io.npz")) as file:
        arrays = {name: file[name] for name in file.files}
    with np.load(path.with_suffix(".weights.npz")) as file:
        weights = {name[2:]: torch.from_numpy(file[name]) for name in file.files if name.startswith("G/")}
    generator = TriPlaneGenerator(**settings["G_init_kwargs"])
    load_checked(generator, weights, "this case")
    generator.eval().requires_grad_(False)
    generator.rendering_kwargs.update(settings.get("rendering_overrides", {}))
    if settings.get("neural_rendering_resolution") is not None:
        generator.neural_rendering_resolution = settings["neural_rendering_resolution"]
    generator.set_force_sigmoid(bool(settings.get("force_sigmoid", False)))
    return Case(settings, arrays, generator)


def engine(name: str) -> Engine:
    """An engine for tensors on the CPU."""
    return engine_named(name, "cpu")  # type: ignore[arg-type]


class ComparedDraws(Draws):
    """Numbers of a seeded stream, each compared with the recorded ones of its name where there are any."""

    def __init__(self, stream: GeneratorDraws, recorded: RecordedDraws, seen: set[str] | None = None) -> None:
        self.stream, self.recorded = stream, recorded
        self.seen = set() if seen is None else seen

    def _compared(self, name: str, drawn: Tensor) -> Tensor:
        key = f"pass{self.recorded.render}/{name}"
        if key in self.recorded.arrays:
            expected = torch.from_numpy(self.recorded.arrays[key])
            assert torch.equal(drawn, expected), f"{key} differs from the recorded"
            self.seen.add(key)
        return drawn

    def normal(self, name: str, shape: Any, device: Any = "cpu") -> Tensor:
        """See `Draws.normal`."""
        return self._compared(name, self.stream.normal(name, shape, device))

    def uniform(self, name: str, shape: Any, device: Any = "cpu", order: Any = None) -> Tensor:
        """See `Draws.uniform`."""
        return self._compared(name, self.stream.uniform(name, shape, device, order))

    def next_render(self) -> Draws:
        """See `Draws.next_render`."""
        return ComparedDraws(self.stream, self.recorded.next_render(), self.seen)


# -- operator cases ---------------------------------------------------------------------------------------------


def operator_cases(name: str, having: str = "") -> list:
    """Pytest parameters (settings, path) of the cases of ``ops/<name>.json``: all, or those that have this array."""
    parameters = []
    for parameter in discover(f"generator/ops/{name}.json"):
        path = parameter.values[0]
        if path is None:
            return [pytest.param(None, None, id=parameter.id, marks=parameter.marks)]
        for settings in json.loads(path.read_text())["cases"]:
            if not having or having in operator_arrays(settings, path):
                parameters.append(pytest.param(settings, path, id=f"{name}-{settings['case']:02d}"))
    return parameters or [pytest.param(None, None, marks=pytest.mark.skip(reason=f"no case of {name} has {having}"))]


def operator_arrays(settings: Mapping[str, Any], path: Path) -> dict[str, Tensor]:
    """The arrays of one operator case."""
    prefix = f"case{settings['case']:02d}/"
    with np.load(path.with_suffix(".npz")) as file:
        return {
            name.removeprefix(prefix): torch.from_numpy(file[name]) for name in file.files if name.startswith(prefix)
        }


# -- comparing --------------------------------------------------------------------------------------------------


def scale_of(reference: Tensor) -> float:
    """s of the README: the standard deviation of the reference, at least 1."""
    return max(1.0, float(reference.std())) if reference.numel() > 1 else 1.0


def assert_close(found: Tensor, reference: Tensor, tolerance: float) -> None:
    """Every element within an absolute tolerance."""
    assert found.shape == reference.shape
    worst = float((found.detach() - reference).abs().max()) if found.numel() else 0.0
    assert worst <= tolerance, f"largest difference {worst:.3g}, allowed {tolerance:.3g}"


def assert_operator(found: Tensor, reference: Tensor) -> None:
    """The tolerance of operators: 1e-5, times the largest reference value where that is larger than one."""
    assert_close(found, reference, 1e-5 * max(1.0, float(reference.abs().max())))


def assert_mostly(found: Tensor, reference: Tensor, tolerance: float, share: float, mean: float | None = None) -> None:
    """At least `share` of the elements within `tolerance`, and the mean difference below `mean`."""
    assert found.shape == reference.shape
    difference = (found - reference).abs()
    reached = float((difference <= tolerance).double().mean())
    assert reached >= share, f"{reached:.4%} within {tolerance:.3g}, expected {share:.2%}"
    assert mean is None or float(difference.mean()) < mean, f"mean difference {float(difference.mean()):.3g}"


def assert_depth(
    found: tuple[Tensor, Tensor], reference: tuple[Tensor, Tensor], what: str, report: Callable[[str], None]
) -> None:
    """(depth, opacity), to the tolerance of images; rays that are empty but for roundings are only counted.

    Their depth is a quotient of roundings, and where those vanish the batch's largest depth (spec §5.4): measured, a
    difference of 6e-8 in opacity moves it by 0.8.
    """
    assert found[0].shape == reference[0].shape
    lowest, highest = torch.minimum(found[1], reference[1]), torch.maximum(found[1], reference[1])
    on_limit = (highest > 0) & (lowest < NEARLY_EMPTY)
    s = scale_of(reference[0])
    differs = (found[0] - reference[0]).abs() > 1e-3 * s
    if on_limit.any():
        report(f"{what}: {int(on_limit.sum())} rays nearly empty, depths of {int((differs & on_limit).sum())} differ")
    if not on_limit.all():
        assert_mostly(found[0][~on_limit], reference[0][~on_limit], 1e-3 * s, share=0.995, mean=1e-4 * s)


def assert_equal_off_limits(
    found: Tensor, reference: Tensor, on_limit: Tensor, what: str, report: Callable[[str], None]
) -> None:
    """Equality (to 1e-4 of large values) everywhere but on a limit, where differences are only counted."""
    differs = (found.double() - reference.double()).abs() > 1e-4 * reference.double().abs().clamp(min=1)
    report(f"{what}: {int(on_limit.sum())} on a limit, {int((differs & on_limit).sum())} of them differ")
    assert not (differs & ~on_limit).any(), f"{what}: {int((differs & ~on_limit).sum())} differ off the limits"


def strided(outputs: Mapping[str, Any], name: str) -> Iterator[tuple[str, int]]:
    """(stored name, stride) of what is stored of an output: whole, or every second or fourth pixel."""
    for stored in outputs:
        whole, _, stride = stored.removeprefix("out/").partition("_stride")
        if stored.startswith("out/") and whole == name:
            yield stored, int(stride or 1)


def at_stride(picture: Tensor, stride: int) -> Tensor:
    """The pixels that are stored at a stride."""
    return picture if stride == 1 else picture[:, :, ::stride, 1::stride]
