"""The generator: one front image of a head → a radiance field in three planes → pictures of it from anywhere.

Source: spec/generator.md §7; `TriPlaneGenerator.f` follows the table "Data flow of one call of G.f".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from torch import Tensor

from torch_utils.determinism import Draws, GeneratorDraws
from training.engine.interface import Clearing, Engine, Rays
from training.engine.plain import PlainEngine
from training.layers import NoiseMode
from training.memory import memory_explained
from training.parts import GeneratorParts
from training.paste import Pasted
from training.rays import as_image, perspective_rays_of_labels, rays_from_images
from training.request import Request, front_rays, read_request, render_size

SETTINGS_OF_MEMORY = "neural_rendering_resolution, depth_resolution or the number of views of a call"


@dataclass(frozen=True, eq=False)
class Manner:
    """How a call is computed.

    Attributes:
        draws: source of noise and sample positions.
        engine: evaluates the field.
        noise_mode: of the backbone.
        depth_clamp: depths are limited to the samples of the whole batch, or of each view.
    """

    draws: Draws
    engine: Engine
    noise_mode: NoiseMode
    depth_clamp: Literal["batch", "view"]


class TriPlaneGenerator(GeneratorParts):
    """The conditional triplane generator; arguments, attributes and parts are those of `GeneratorParts`."""

    def f(
        self,
        inputs: Mapping[str, Any],
        *,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        latent_injection: Mapping[str, Tensor] | None = None,
        force_rays: Mapping[str, Tensor] | None = None,
        stop_level: int | None = None,
        normalize_images: bool = False,
        return_more: bool = False,
        draws: Draws | None = None,
        engine: Engine | None = None,
        noise_mode: NoiseMode = "random",
        depth_clamp: Literal["batch", "view"] = "batch",
    ) -> dict[str, Any]:
        """Pictures of characters, one view each. Unlike the published code it leaves `inputs` and itself as they are.

        Args:
            inputs: see `training.request.Request`; keys and defaults are those of spec/generator.md §7.1.
            truncation_psi: 1 keeps styles, 0 makes them the mean style.
            truncation_cutoff: only so many styles are truncated; None: all.
            latent_injection: added to styles (``dw``, ``dws``) and levels (``da_<level>``, ``db_<level>``) of the main
                render; what `inputs` says goes before, and acts in the mask renders of pasting too.
            force_rays: ``ray_origins`` and ``ray_directions``, (B, 3, r, r); what `inputs` says goes before.
            stop_level: planes are those of this level, in the main render.
            normalize_images: pictures stay in [-1, 1]; what `inputs` says goes before.
            return_more: add what was computed on the way, under ``more``.
            draws: source of noise and sample positions; None: torch's global CPU generator.
            engine: evaluates the field; None: the plain one.
            noise_mode: of the backbone.
            depth_clamp: depths are limited to the samples of the whole batch, or of each view.

        Returns:
            ``image`` (B, 3, n, n), ``image_raw`` (B, 3, r, r), ``image_depth`` and ``image_weights`` (B, 1, r, r),
            ``image_xyz`` (B, 3, r, r) metres in the display frame, ``triplane`` (B, 3, width · depth, R, R),
            ``normalize_images``; with pasting ``image_prepaste``, the picture before it, and ``paste``, the fields of
            `training.paste.Pasted`.

        Raises:
            InputError: inputs, conditions or settings that do not fit.
            SuiteError: out of memory.
        """
        manner = Manner(draws or GeneratorDraws(), engine or PlainEngine(), noise_mode, depth_clamp)
        with memory_explained(SETTINGS_OF_MEMORY):
            request = read_request(
                inputs,
                self.expected(),
                normalize_images=normalize_images,
                latent_injection=latent_injection,
                force_rays=force_rays,
            )
            rays = request.known_rays()
            front = None
            if request.paste is not None:
                front = self.front_for_pasting(request.cond, request.batch, request.device, request.normalize_images)
            ws = self.styles(request, truncation_psi, truncation_cutoff)
            results = self._rendered(
                shifted(ws, request.injection),
                request.cond,
                rays,
                request.clearing,
                manner,
                injection=request.injection,
                stop_level=stop_level,
                normalize_images=request.normalize_images,
            )
            if front is not None:
                same = noise_mode != "random" and stop_level is None and not latent_injection
                planes = results["triplane"] if same else None
                pasted = self._pasted(results, request, ws, rays, front, planes=planes, manner=manner)
                results["image_prepaste"], results["image"] = results["image"], pasted.image
                results["paste"] = {part.name: getattr(pasted, part.name) for part in fields(pasted)}
            if return_more:
                results["more"] = {"request": request, "ws": ws, "camera_params": request.labels, "rays": rays}
        return results

    def synthesis(
        self,
        ws: Tensor,
        c: Tensor,
        cond: Mapping[str, Tensor],
        *,
        neural_rendering_resolution: int | None = None,
        force_rays: Mapping[str, Tensor] | None = None,
        clearing: Clearing | None = None,
        latent_injection: Mapping[str, Tensor] | None = None,
        stop_level: int | None = None,
        normalize_images: bool = True,
        draws: Draws | None = None,
        engine: Engine | None = None,
        noise_mode: NoiseMode = "random",
        depth_clamp: Literal["batch", "view"] = "batch",
    ) -> dict[str, Any]:
        """Pictures of (B, num_ws, w_dim) styles from (B, 25) labels, all perspective unless rays are given; see `f`."""
        size = render_size(neural_rendering_resolution or self.neural_rendering_resolution)
        rays = rays_from_images(force_rays) if force_rays else perspective_rays_of_labels(c, size)
        return self._rendered(
            shifted(ws, latent_injection or {}),
            cond,
            rays,
            clearing or Clearing(),
            Manner(draws or GeneratorDraws(), engine or PlainEngine(), noise_mode, depth_clamp),
            injection=latent_injection or {},
            stop_level=stop_level,
            normalize_images=normalize_images,
        )

    def forward(
        self,
        z: Tensor,
        c: Tensor,
        cond: Mapping[str, Tensor],
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        *,
        update_emas: bool = False,
        **options: Any,
    ) -> dict[str, Any]:
        """`mapping`, then `synthesis` with these options: pictures in [-1, 1]."""
        ws = self.mapping(z, c, cond, truncation_psi, truncation_cutoff, update_emas=update_emas)
        return self.synthesis(ws, c, cond, **options)

    def sample_mixed(
        self,
        points: Tensor,
        directions: Tensor | None,  # noqa: ARG002
        ws: Tensor,
        cond: Mapping[str, Tensor],
        *,
        noise_mode: NoiseMode = "random",
        draws: Draws | None = None,
        engine: Engine | None = None,
    ) -> dict[str, Tensor]:
        """The field at (B, M, 3) `head_world` points, metres, without crop or cull.

        Args:
            points: where.
            directions: ignored, as the decoder knows of none.
            ws: (B, num_ws, w_dim).
            cond: image conditions.
            noise_mode: of the backbone.
            draws: source of noise; None: torch's global CPU generator.
            engine: evaluates the field; None: the plain one.

        Returns:
            ``rgb`` (B, M, 32), ``sigma`` (B, M, 1) raw densities, ``xyz`` (B, M, 3) the points.
        """
        draws = draws or GeneratorDraws()
        planes = self.planes(ws, cond, self.noise(noise_mode, draws))
        decoded = (engine or PlainEngine()).decode(self.field(planes), points)
        sigma, spread = decoded.sigma, self.sampling().density_noise
        if spread:
            sigma = sigma + spread * draws.normal("density_noise", sigma.shape, sigma.device)
        return {"rgb": decoded.features, "sigma": sigma, "xyz": points}

    def sample(
        self,
        points: Tensor,
        directions: Tensor | None,
        z: Tensor,
        c: Tensor,
        cond: Mapping[str, Tensor],
        *,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        **options: Any,
    ) -> dict[str, Tensor]:
        """`mapping`, then `sample_mixed` with these options."""
        ws = self.mapping(z, c, cond, truncation_psi, truncation_cutoff)
        return self.sample_mixed(points, directions, ws, cond, **options)

    # -- inside a call ------------------------------------------------------------------------------------------

    def _rendered(
        self,
        ws: Tensor,
        cond: Mapping[str, Tensor],
        rays: Rays,
        clearing: Clearing,
        manner: Manner,
        *,
        injection: Mapping[str, Tensor],
        stop_level: int | None,
        normalize_images: bool,
    ) -> dict[str, Any]:
        """The results of `f` before pasting."""
        planes = self.planes(ws, cond, self.noise(manner.noise_mode, manner.draws), injection, stop_level)
        sampling = self.sampling(manner.depth_clamp)
        composite = manner.engine.render(self.field(planes), rays, sampling, clearing, manner.draws)
        images = self.pictures(composite, ws, manner.draws, normalize_images)
        return {**images, "triplane": planes, "normalize_images": normalize_images}

    def _pasted(
        self,
        results: Mapping[str, Any],
        request: Request,
        ws: Tensor,
        rays: Rays,
        front: Tensor,
        *,
        planes: Tensor | None,
        manner: Manner,
    ) -> Pasted:
        """Paste, with a further render for each mask that needs one; those share `planes`, or make their own."""
        assert request.paste is not None
        draws_of_occlusion = manner.draws.next_render()
        ws = shifted(ws, request.injection_of_masks)

        def opacity(seen: Rays, draws: Draws) -> Tensor:
            noise = self.noise(manner.noise_mode, draws)
            found = self.planes(ws, request.cond, noise, request.injection_of_masks) if planes is None else planes
            sampling = self.sampling(manner.depth_clamp)
            covered = manner.engine.opacity(self.field(found), seen, sampling, request.clearing, draws)
            self.pass_over_pictures(draws, request.batch)
            return covered

        def front_opacity() -> Tensor:
            seen = front_rays(request, results["image_weights"].shape[-1], self.box_warp)
            return as_image(opacity(seen, draws_of_occlusion.next_render()))

        return self.pasted(
            results,
            rays,
            front,
            request.paste,
            occlusion=lambda seen: opacity(seen, draws_of_occlusion),
            front_opacity=front_opacity,
        )


def shifted(ws: Tensor, injection: Mapping[str, Tensor]) -> Tensor:
    """Styles plus ``dw`` (B, w_dim), the same for all, and ``dws`` (B, num_ws, w_dim)."""
    for key in ("dw", "dws"):
        if key in injection:
            added = injection[key]
            ws = ws + (added[:, None] if added.ndim == 2 else added)
    return ws
