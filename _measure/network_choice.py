"""Which networks a way of scoring asks for, which of them are here, and loading them where they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from _exchange.errors import MissingComponent
from _measure.metrics.clip import CLIP
from _measure.metrics.description import ClipPrecision, LpipsBackbone, clip_numbers, lpips_metric
from _measure.protocols import Settings
from _measure.scoring import NetworkFacts, Networks
from _measure.weights import clip_file, lpips_file

if TYPE_CHECKING:
    from _measure.metrics.lpips import LpipsNetwork
    from _measure.picture_scores import ClipEncoder


@dataclass(frozen=True)
class ChosenNetworks:
    """What can run of what a way of scoring asks for.

    Attributes:
        facts: what of it decides scores.
        not_run: by metric id, why it cannot run, with the command that changes it.
    """

    facts: NetworkFacts
    not_run: Mapping[str, str] = field(default_factory=dict)

    @property
    def weights(self) -> dict[str, str]:
        """SHA-256 by file name of everything that runs."""
        return {**self.facts.lpips, **self.facts.clip}


def choose_networks(settings: Settings, device: str = "cpu", *, may_download: bool = True) -> ChosenNetworks:
    """Look for the weights of LPIPS and CLIP, and read none.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        may_download: whether small files may be fetched.

    Raises:
        InputError: a weight file has the wrong digest, or there is no such device.
        MissingComponent: CUDA is asked for, and torch has none or sees no device.
    """
    kind = device_class(device)
    lpips: dict[str, str] = {}
    clip: dict[str, str] = {}
    not_run = {}
    try:
        file, _ = lpips_file(settings.lpips_network, may_download=may_download)
        lpips[file.file_name] = file.sha256
    except MissingComponent as error:
        not_run[lpips_metric(settings.lpips_network).id] = str(error)
    try:
        file, _ = clip_file(may_download=may_download)
        clip[file.file_name] = file.sha256
    except MissingComponent as error:
        not_run[CLIP.id] = str(error)
    numbers = clip_numbers(settings.protocol.clip_precision, kind)
    return ChosenNetworks(NetworkFacts(lpips, clip, kind, numbers), not_run)


def device_class(device: str) -> str:
    """``cpu`` or ``cuda``: what kind of device one that is there is; raises as `choose_networks` does."""
    if device == "cpu":
        return device
    from torch_utils.device import device_named  # torch: only where it is asked for

    return device_named(device).type


@dataclass(frozen=True)
class NetworkNeeds:
    """The networks that a process has to load.

    Attributes:
        lpips: backbones.
        clip: precisions of CLIP's encoder.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
    """

    lpips: tuple[LpipsBackbone, ...] = ()
    clip: tuple[ClipPrecision, ...] = ()
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class LoadedNetworks:
    """The networks of one process."""

    needs: NetworkNeeds
    lpips: Mapping[LpipsBackbone, LpipsNetwork]
    clip: Mapping[ClipPrecision, ClipEncoder]

    @classmethod
    def load(cls, needs: NetworkNeeds) -> LoadedNetworks:
        """Read the weights and place them; raises as `lpips_network` and `clip_encoder` do."""
        if not needs.lpips and not needs.clip:
            return cls(needs, {}, {})
        from _measure.network_weights import clip_encoder, lpips_network  # torch: only where a network runs

        return cls(
            needs,
            {network: lpips_network(network, needs.device) for network in needs.lpips},
            {precision: clip_encoder(needs.device, precision) for precision in needs.clip},
        )

    def of(self, settings: Settings) -> Networks:
        """Those of one way of scoring."""
        return Networks(self.lpips.get(settings.lpips_network), self.clip.get(settings.protocol.clip_precision))

    @contextmanager
    def repeatable(self) -> Iterator[None]:
        """Arithmetic inside the block depends on nothing but its numbers: not on cores, not on other work."""
        with ExitStack() as stack:
            if self.lpips or self.clip:
                from torch_utils.determinism import single_threaded
                from torch_utils.device import exact_float32, repeatable_cuda

                stack.enter_context(single_threaded())
                if self.needs.device != "cpu":
                    stack.enter_context(exact_float32())
                    stack.enter_context(repeatable_cuda())
            yield
