"""Protocol: every quirk of the published evaluation as one named field, and its two instances.

`PAPER` is what the original computes, accident for accident; `CORRECTED` is what each name promises. A function
takes the field it needs, never the protocol's name. Source: spec/measure.md §8, spec/renderer.md §12,
spec/generator.md §10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from _exchange.errors import InputError

Way = Literal["paper", "corrected"]


@dataclass(frozen=True)
class Protocol:
    """One way to draw and score characters."""

    name: Way
    """The word printed on every table and run record."""
    shading: Way
    """Unlit alpha test of the original renderer, or materials as the file means them (spec/renderer.md §5, §12)."""
    lpips_range: Literal["unit", "signed"]
    """LPIPS is fed [0, 1] pictures, or [−1, 1] as its authors meant."""
    psnr_peak: Literal["target", "one"]
    """Peak value: spread of the target picture including zero, or 1."""
    f1_aggregate: Literal["last", "mean"]
    """The F1 rows show the last item of the list, or the mean over items."""
    truth_region: Literal["mirrored", "world"]
    """The region of interest cuts the true surface before the turn to world axes (mirrored), or after."""
    truth_box_bounds_y: bool
    """The true surface is cut at |y| ≤ 0.25 m as well, or in x and z only."""
    truth_pose: Literal["bind", "rendered"]
    """The true surface is the bind pose of the file, or the surface that was drawn."""
    lattice: Literal["sheared", "true"]
    """Query points of the density volume: unfloored indices and division by N, or a proper grid."""
    mesh_cull: Literal["double_activation", "density_half"]
    """Mesh surface: the cull applied to an activated density, or the iso-surface of density ½."""
    planes_noise: Literal["per_render", "constant"]
    """Backbone noise of pictures: drawn anew for every render, or the stored constant, as in meshes."""
    depth_clamp: Literal["batch", "view"]
    """Depth maps are clamped to the sample depths of the whole batch, or of each view."""
    view_draws: Literal["stream", "camera"]
    """Sample positions of pictures: one stream through the views in the evaluation's order, or a seed per camera."""
    sample_seed: Literal["run", "item"]
    """Surface samples: seeded by the run's seed and the item, or by the item's name alone."""
    clip_precision: Literal["device", "float32"]
    """CLIP in the device's habitual precision, or in float32."""


PAPER = Protocol(
    name="paper",
    shading="paper",
    lpips_range="unit",
    psnr_peak="target",
    f1_aggregate="last",
    truth_region="mirrored",
    truth_box_bounds_y=True,
    truth_pose="bind",
    lattice="sheared",
    mesh_cull="double_activation",
    planes_noise="per_render",
    depth_clamp="batch",
    view_draws="stream",
    sample_seed="run",
    clip_precision="device",
)
CORRECTED = Protocol(
    name="corrected",
    shading="corrected",
    lpips_range="signed",
    psnr_peak="one",
    f1_aggregate="mean",
    truth_region="world",
    truth_box_bounds_y=False,
    truth_pose="rendered",
    lattice="true",
    mesh_cull="density_half",
    planes_noise="constant",
    depth_clamp="view",
    view_draws="camera",
    sample_seed="item",
    clip_precision="float32",
)
_BY_NAME = {protocol.name: protocol for protocol in (PAPER, CORRECTED)}


def protocol_named(name: str) -> Protocol:
    """The instance called `name`.

    Raises:
        InputError: there is no such protocol.
    """
    for known, protocol in _BY_NAME.items():
        if known == name:
            return protocol
    raise InputError(f"Expected a protocol out of {', '.join(_BY_NAME)}, found {name!r}.")
