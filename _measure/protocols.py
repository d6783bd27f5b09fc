"""How items are scored: every choice that is not in the data. Source: spec/measure.md §8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from _exchange.errors import InputError
from _exchange.protocol import CORRECTED, Protocol
from _measure.crops import Subset
from _measure.metrics.description import LpipsBackbone
from _measure.sampling import SAMPLE_COUNT

PictureKind = Literal["pasted", "unpasted"]
"""Pictures as the method gives them, with pixels of the portrait pasted in where it pastes, or their twins without."""
GEOMETRY = "geom"
"""The view of scores of surfaces."""


@dataclass(frozen=True)
class Settings:
    """Everything but the data that decides scores.

    Attributes:
        protocol: the quirks.
        lpips_network: which LPIPS; `paper` knows AlexNet only.
        sample_count: points per surface.
        run_seed: appended to the item's seed where the protocol's samples follow the run.
        pictures: which of a run's pictures are compared.

    Raises:
        InputError: a value makes no sense.
    """

    protocol: Protocol = CORRECTED
    lpips_network: LpipsBackbone = "squeeze"
    sample_count: int = SAMPLE_COUNT
    run_seed: int = 0
    pictures: PictureKind = "pasted"

    def __post_init__(self) -> None:
        if self.protocol.lpips_range == "unit" and self.lpips_network != "alex":
            raise InputError(
                f"Expected LPIPS through alex in the protocol {self.protocol.name}, found {self.lpips_network}.",
                next_step="Choose --lpips-net alex or --protocol corrected.",
            )
        if self.sample_count < 1 or self.run_seed < 0:
            raise InputError(
                f"Expected at least one sample and a seed ≥ 0, found {self.sample_count} and {self.run_seed}."
            )


def subset_of_camera(camera: str) -> Subset:
    """``front``, ``back`` or ``360``: which rows a scored picture belongs to."""
    if camera == "ortho_front":
        return "front"
    return "back" if camera == "ortho_back" else "360"
