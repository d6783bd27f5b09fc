"""A run under both protocols, with and without pasted pixels, and with one switch of `paper` corrected at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from _exchange.protocol import CORRECTED, PAPER, Protocol
from _exchange.run_folder import RunFolder
from _measure.predictions import Predictions
from _measure.protocols import PictureKind, Settings
from _measure.run import Target
from _measure.table import Table
from _measure.variants.switches import SWITCHES, Switch

NO_TWINS = (
    "There is no unpasted variant: the method pastes no pixels of the portrait, or its run kept no pictures without "
    "them."
)
_MEASURED = tuple(switch for switch in SWITCHES if switch.decided == "measuring")


@dataclass(frozen=True)
class Variant:
    """One of the four ways in which a run is shown side by side.

    Attributes:
        name: of its folder below ``variants/``.
        protocol: rules.
        pictures: with pasted pixels or without.
    """

    name: str
    protocol: Protocol
    pictures: PictureKind


VARIANTS = (
    Variant("paper", PAPER, "pasted"),
    Variant("corrected", CORRECTED, "pasted"),
    Variant("paper-unpasted", PAPER, "unpasted"),
    Variant("corrected-unpasted", CORRECTED, "unpasted"),
)


@dataclass(frozen=True, eq=False)
class VariantPlan:
    """Which targets to measure so that all variants and switches can be shown.

    Attributes:
        variants: those that the run has.
        targets: of the variants, then of `paper` with one switch corrected, in the order of `SWITCHES`.
    """

    variants: tuple[Variant, ...]
    targets: tuple[Target, ...]

    def found(self, tables: Sequence[Table], generated_with: str, shading: str) -> MeasuredVariants:
        """What measuring the targets answered, each table in its place."""
        count = len(self.variants)
        return MeasuredVariants(
            {variant.name: table for variant, table in zip(self.variants, tables)},
            tuple(zip(_MEASURED, tables[count:])),
            generated_with,
            shading,
        )


@dataclass(frozen=True, eq=False)
class MeasuredVariants:
    """Tables of one run.

    Attributes:
        variants: by name, in the order of `VARIANTS`; unpasted ones only where the run has such pictures.
        switches: each switch that measuring decides, with the table of `paper` where it alone is corrected.
        generated_with: protocol of the reconstructions; empty where nobody recorded it.
        shading: how the true pictures were drawn; empty where nobody knows.
    """

    variants: Mapping[str, Table]
    switches: Sequence[tuple[Switch, Table]]
    generated_with: str
    shading: str

    @property
    def paper(self) -> Table:
        """What every switch is compared with."""
        return self.variants["paper"]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader must know of the variants."""
        has_twins = any(table.pictures == "unpasted" for table in self.variants.values())
        return () if has_twins else (NO_TWINS,)


def plan_variants(
    folder: RunFolder, pasted: Predictions, unpasted: Predictions | None, settings: Settings
) -> VariantPlan:
    """The targets of all variants and switches.

    Args:
        folder: whose ``variants/`` gets scores and tables; those of the switches are not kept.
        pasted, unpasted: predictions; None where the run has no unpasted pictures.
        settings: samples and seed, and LPIPS of `corrected`. `paper` and its switches take AlexNet, the only network
            whose LPIPS is known in both input ranges.
    """
    variants = tuple(variant for variant in VARIANTS if variant.pictures == "pasted" or unpasted is not None)
    by_kind = {"pasted": pasted, "unpasted": unpasted or pasted}
    targets = [
        Target(folder.variant(variant.name), by_kind[variant.pictures], _settings_of(variant, settings))
        for variant in variants
    ]
    alone = replace(settings, protocol=CORRECTED, lpips_network="alex", pictures="pasted")
    targets += [Target(None, pasted, replace(alone, protocol=switch.alone)) for switch in _MEASURED]
    return VariantPlan(variants, tuple(targets))


def _settings_of(variant: Variant, settings: Settings) -> Settings:
    network = "alex" if variant.protocol.lpips_range == "unit" else settings.lpips_network
    return replace(settings, protocol=variant.protocol, lpips_network=network, pictures=variant.pictures)
