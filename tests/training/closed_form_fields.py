"""Fields known in closed form behind the interface of engines, for tests of volumes, surfaces and textures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from training.engine.interface import Composite, Decoded, DecoderWeights, Engine, Field

BOX_SIDE = 0.7


def any_field(box_warp: float = BOX_SIDE, batch: int = 1) -> Field:
    """A field whose planes nobody reads."""
    empty = torch.zeros(0)
    decoder = DecoderWeights(empty, empty, empty, empty, plain_sigmoid=True)
    return Field(torch.zeros(batch, 3, 0, 1, 1), decoder, box_warp, 1, True)


@dataclass
class ClosedFormEngine(Engine):
    """Raw densities and colours by formula; both take (M, 3) points and give (M,) and (M, 3)."""

    sigma_of: Callable[[Tensor], Tensor]
    rgb_of: Callable[[Tensor], Tensor] = lambda points: points / BOX_SIDE + 0.5
    name: str = "closed form"
    asked: list[Tensor] = field(default_factory=list)
    """The points that `sigma` was asked for."""

    def sigma(self, field: Field, points: Tensor) -> Tensor:
        self.asked.append(points[0])
        return self.sigma_of(points[0])[None, :, None]

    def decode(self, field: Field, points: Tensor) -> Decoded:
        rest = torch.zeros(1, points.shape[1], 29)
        return Decoded(self.sigma_of(points[0])[None, :, None], torch.cat([self.rgb_of(points[0])[None], rest], -1))

    def render(self, *_: object) -> Composite:
        raise NotImplementedError

    def opacity(self, *_: object) -> Tensor:
        raise NotImplementedError


def ball(centre: tuple[float, float, float], radius: float, steepness: float) -> Callable[[Tensor], Tensor]:
    """σ is 1 on the sphere and grows inwards by `steepness` a metre."""
    return lambda points: 1 + steepness * (radius - (points - torch.tensor(centre)).norm(dim=-1))


def torus(ring: float, tube: float, steepness: float) -> Callable[[Tensor], Tensor]:
    """A torus around the axis y."""

    def sigma(points: Tensor) -> Tensor:
        around = points[..., [0, 2]].norm(dim=-1) - ring
        return 1 + steepness * (tube - torch.stack([around, points[..., 1]], -1).norm(dim=-1))

    return sigma
