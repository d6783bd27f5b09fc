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
        sentence: what `paper` does and what `corrected` does, for people who read no specification.
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
        "In paper LPIPS is fed pictures in [0, 1]; in corrected in [−1, 1], the range for which its weights were "
        "trained.",
    ),
    Switch(
        "psnr_peak",
        "measuring",
        "In paper the peak of PSNR is the brightest value of the true picture, which lies below 1 in a crop without "
        "white and lowers the PSNR; in corrected it is always 1.",
    ),
    Switch(
        "f1_aggregate",
        "measuring",
        "In paper the F1 rows show the last item of the list alone, because the published evaluation overwrites each "
        "item by the next; in corrected they show the mean over all items.",
    ),
    Switch(
        "truth_region",
        "measuring",
        "In paper the region of interest is mirrored left to right where it cuts the true surface; in corrected it "
        "cuts the true and the predicted surface alike. A region in the middle of the picture is its own mirror image.",
    ),
    Switch(
        "truth_box_bounds_y",
        "measuring",
        "In paper the true surface ends 0.25 m above and below the middle of the head, so a prediction of taller hair "
        "or ears has nothing to meet; in corrected the region of interest alone limits its height.",
    ),
    Switch(
        "truth_pose",
        "measuring",
        "In paper the true surface is the character as stored in its file, arms stretched out; in corrected it is "
        "posed as it was drawn.",
    ),
    Switch(
        "sample_seed",
        "measuring",
        "In paper the points drawn on surfaces follow the seed of the run; in corrected the name of the item alone. "
        "Any difference is chance.",
    ),
    Switch(
        "clip_precision",
        "measuring",
        "In paper CLIP computes as the device is used to, in half precision on a GPU, which rounds the similarity to "
        "steps of 0.0005; in corrected in float32. On a CPU both are float32.",
    ),
    Switch(
        "shading",
        "drawing",
        "In paper true pictures are drawn unlit, with the alpha test of the original; in corrected with materials as "
        "the file means them.",
    ),
    Switch(
        "lattice",
        "generating",
        "In paper the density volume is read on the original's grid, which is sheared by up to one step and shrunk by "
        "one part in its number of steps (2.7 mm and 0.4 % at 256); in corrected on a regular grid.",
    ),
    Switch(
        "mesh_cull",
        "generating",
        "In paper meshes come from densities that were activated twice, which gives a blocky hull of voxels; in "
        "corrected from the surface where the density is ½.",
    ),
    Switch(
        "planes_noise",
        "generating",
        "In paper the noise of the generator's backbone is drawn anew for every picture; in corrected it is the stored "
        "constant, for pictures as for meshes.",
    ),
    Switch(
        "depth_clamp",
        "generating",
        "In paper depth maps are clamped to the sample depths of all views drawn together; in corrected to those of "
        "their own view.",
    ),
    Switch(
        "view_draws",
        "generating",
        "In paper the random sample positions along rays come from one stream through all views; in corrected each "
        "camera has a seed of its own.",
    ),
)
"""Every field of `Protocol` but its name."""
