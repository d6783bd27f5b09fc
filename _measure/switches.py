"""The switches between the two protocols, one by one: where each is decided, and a sentence on what it changes.

Source: spec/measure.md §8, spec/generator.md §10, spec/renderer.md §12.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from _exchange.protocol import CORRECTED, PAPER, Protocol, protocol_named

NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class Switch:
    """One field of `Protocol`.

    Attributes:
        field: its name.
        decided: when: by measuring, when the run was generated, or when the true pictures were drawn.
        sentence: what it changes.
    """

    field: str
    decided: Literal["measuring", "generating", "drawing"]
    sentence: str

    @property
    def paper(self) -> Any:
        """Its value in `paper`."""
        return getattr(PAPER, self.field)

    @property
    def corrected(self) -> Any:
        """Its value in `corrected`."""
        return getattr(CORRECTED, self.field)

    @property
    def alone(self) -> Protocol:
        """`paper` with this one switch corrected."""
        return replace(PAPER, **{self.field: self.corrected})

    def value_in_run(self, generated_with: str, shading: str) -> Any:
        """What a run has, where measuring does not decide it.

        Args:
            generated_with: protocol of its reconstructions; empty where nobody recorded it.
            shading: how the true pictures were drawn; empty where nobody knows.
        """
        if self.decided == "drawing":
            return shading or NOT_RECORDED
        return getattr(protocol_named(generated_with), self.field) if generated_with else NOT_RECORDED


SWITCHES = (
    Switch(
        "lpips_range",
        "measuring",
        "LPIPS through AlexNet is fed pictures in [0, 1], as the published evaluation did, or in [−1, 1], for which "
        "its heads were trained.",
    ),
    Switch(
        "psnr_peak",
        "measuring",
        "The peak of PSNR is the spread of the true picture, which is below 1 in a crop without white and lowers the "
        "value, or always 1.",
    ),
    Switch(
        "f1_aggregate",
        "measuring",
        "The F1 rows show the last item of the list alone, because each item overwrote the one before, or the mean "
        "over all items.",
    ),
    Switch(
        "truth_region",
        "measuring",
        "The region of interest cuts the true surface before the turn to world axes, mirrored left to right, or after, "
        "as it cuts the predicted one; regions in the middle of the picture do not notice.",
    ),
    Switch(
        "truth_box_bounds_y",
        "measuring",
        "The true surface ends at |y| ≤ 0.25 m, so tall hair and ears have nothing to meet, or is limited in height by "
        "the region alone.",
    ),
    Switch(
        "truth_pose",
        "measuring",
        "The true surface is the file's bind pose, arms out and nodes ignored, or the character posed as it was drawn.",
    ),
    Switch(
        "sample_seed",
        "measuring",
        "Surface samples follow the run's seed, one draw of many, or the item's name, always the same draw: the "
        "difference is chance.",
    ),
    Switch(
        "clip_precision",
        "measuring",
        "CLIP runs in the device's habitual precision, half on a GPU, which rounds the cosine to steps of 0.0005, or "
        "in float32; on a CPU both are float32.",
    ),
    Switch(
        "shading",
        "drawing",
        "True pictures are drawn unlit with the original's alpha test, or with materials as the file means them.",
    ),
    Switch(
        "lattice",
        "generating",
        "The density volume is asked on the original's grid, sheared by up to 2.7 mm and scaled by 0.4 %, or on a true "
        "one.",
    ),
    Switch(
        "mesh_cull",
        "generating",
        "Meshes come from densities activated twice, a blocky hull of voxels, or from the iso-surface of density ½.",
    ),
    Switch(
        "planes_noise",
        "generating",
        "The backbone's noise is drawn anew for every picture, or is the stored constant, as in meshes.",
    ),
    Switch(
        "depth_clamp",
        "generating",
        "Depth maps are clamped to the sample depths of all views drawn together, or of each view.",
    ),
    Switch(
        "view_draws",
        "generating",
        "Sample positions of pictures come from one stream through all views, or from a seed per camera.",
    ),
)
"""Every field of `Protocol` but its name."""
