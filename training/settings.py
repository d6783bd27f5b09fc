"""What a generator is told: constructor arguments and the live ``rendering_kwargs``. Source: spec/generator.md §0.1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from _exchange.errors import InputError
from training.blocks import BlockOptions
from training.depths import check_limits
from training.engine.interface import Sampling
from training.layers import is_finite_number, require_known
from training.superresolution import SuperresolutionHybrid8XDC

_SUPERRESOLUTIONS: dict[str, type[SuperresolutionHybrid8XDC]] = {"SuperresolutionHybrid8XDC": SuperresolutionHybrid8XDC}
_IGNORED_OF_SUPERRESOLUTION = ("num_fp16_res", "conv_clamp", "channel_base", "channel_max")


def check_sr_kwargs(given: Mapping[str, Any]) -> None:
    """Refuse options that the super-resolution does not have.

    Raises:
        InputError: an unknown option.
    """
    options = [name for name in BlockOptions.__dataclass_fields__ if name not in _IGNORED_OF_SUPERRESOLUTION]
    require_known("sr_kwargs", given, [*_IGNORED_OF_SUPERRESOLUTION, *options])


def rendering_setting(rendering_kwargs: Mapping[str, Any], key: str) -> Any:
    """The value of a setting that must be there.

    Raises:
        InputError: it is not.
    """
    if key not in rendering_kwargs:
        found = ", ".join(sorted(rendering_kwargs)) or "none"
        raise InputError(f"Expected rendering_kwargs with {key}, found the keys {found}.")
    return rendering_kwargs[key]


def finite_number(name: str, value: object) -> float:
    """`value` as a float.

    Raises:
        InputError: it is no finite number.
    """
    if not is_finite_number(value):
        raise InputError(f"Expected {name} to be a finite number, found {value!r:.80}.")
    return float(value)


def box_side(rendering_kwargs: Mapping[str, Any]) -> float:
    """``box_warp``, the side of the cube, metres.

    Raises:
        InputError: it is missing, or not above 0.
    """
    side = finite_number("box_warp", rendering_setting(rendering_kwargs, "box_warp"))
    if side <= 0:
        raise InputError(f"Expected box_warp above 0 metres, found {side:g}.")
    return side


def superresolution_class(dotted_name: object) -> type[SuperresolutionHybrid8XDC]:
    """The super-resolution module of a dotted name, of which the last part counts.

    Raises:
        InputError: there is no such module here.
    """
    known = _SUPERRESOLUTIONS.get(str(dotted_name).rpartition(".")[2])
    if known is None:
        names = ", ".join(_SUPERRESOLUTIONS)
        raise InputError(f"Expected a superresolution_module called {names}, found {dotted_name!r:.80}.")
    return known


def sampling_of(rendering_kwargs: Mapping[str, Any], depth_clamp: Literal["batch", "view"]) -> Sampling:
    """How rays are sampled.

    Raises:
        InputError: a setting is missing, or has a value that nothing can be done with.
    """
    if rendering_setting(rendering_kwargs, "clamp_mode") != "softplus":
        raise InputError(f"Expected clamp_mode 'softplus', found {rendering_kwargs['clamp_mode']!r:.80}.")
    sampling = Sampling(
        ray_start=_depth(rendering_kwargs, "ray_start"),
        ray_end=_depth(rendering_kwargs, "ray_end"),
        depth_resolution=_count(rendering_kwargs, "depth_resolution", least=2),
        depth_resolution_importance=_count(rendering_kwargs, "depth_resolution_importance", least=0),
        disparity_space_sampling=bool(rendering_setting(rendering_kwargs, "disparity_space_sampling")),
        white_back=bool(rendering_kwargs.get("white_back", False)),
        density_noise=finite_number("density_noise", rendering_kwargs.get("density_noise") or 0),
        depth_clamp=depth_clamp,
    )
    check_limits(sampling)
    return sampling


def _depth(rendering_kwargs: Mapping[str, Any], key: str) -> float | Literal["auto"]:
    value = rendering_setting(rendering_kwargs, key)
    if value == "auto":
        return "auto"
    if not is_finite_number(value):
        raise InputError(f"Expected {key} in metres or 'auto', found {value!r:.80}.")
    return float(value)


def _count(rendering_kwargs: Mapping[str, Any], key: str, least: int) -> int:
    value = rendering_setting(rendering_kwargs, key)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"Expected {key} to be a whole number of at least {least}, found {value!r:.80}.")
    return value
