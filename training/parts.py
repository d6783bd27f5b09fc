"""The parts of the generator, each callable alone: styles, planes, field, pictures, pasting.

Pictures are (B, 3, n, n), in [0, 1], or in [-1, 1] where they stay normalised; maps of a render are (B, C, r, r).
Source: spec/generator.md §0, §2, §6, §7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from _exchange.errors import InputError
from torch_utils.determinism import Draws, GeneratorDraws
from training.conditioning import CondMode, condition, lengthened_label
from training.decoder import OSGDecoder
from training.engine.interface import Composite, Field, Rays, Sampling
from training.labels import conditioning_label
from training.layers import FullyConnectedLayer, Noise, NoiseMode, require_counts
from training.paste import Pasted, PasteParams, Surface, paste_front
from training.rays import as_image
from training.request import LABEL_SIZE, Expected, Request
from training.settings import (
    box_side,
    check_sr_kwargs,
    rendering_setting,
    sampling_of,
    superresolution_class,
)
from training.state_dicts import shape_of
from training.synthesis import Backbone

PLANES = 3
FEATURES = 32
"""Channels of the feature image; its first three are the raw picture."""
PUBLISHED_STYLE = 512
"""Width of the styles that the published super-resolution takes."""


class GeneratorParts(nn.Module):
    """The conditional triplane generator.

    Args:
        z_dim: width of a latent.
        c_dim: width of a camera label, 25; 0: cameras do not reach the mapping.
        w_dim: width of a style.
        img_resolution: side of the final picture, a power of two from 64 to 1024.
        img_channels: 3.
        cond_mode: flags of `training.conditioning.CondMode`, ``none`` for none.
        backbone_resolution: R, side of a plane.
        triplane_width: features of a plane sample.
        sr_channels_hidden: channels of the super-resolution.
        sr_num_fp16_res: above 0 the super-resolution is in half precision on CUDA, and clamps.
        mapping_kwargs: options of `training.mapping.MappingNetwork`.
        rendering_kwargs: settings of the renderer; the attribute of this name is the live one.
        sr_kwargs: options of the super-resolution.
        synthesis_kwargs: other options of `training.synthesis.SynthesisNetwork`.

    Raises:
        InputError: an argument that no generator can have.
    """

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        *,
        cond_mode: str | None = None,
        backbone_resolution: int = 256,
        triplane_width: int = 32,
        sr_channels_hidden: int = 256,
        sr_num_fp16_res: int = 0,
        mapping_kwargs: Mapping[str, Any] | None = None,
        rendering_kwargs: Mapping[str, Any] | None = None,
        sr_kwargs: Mapping[str, Any] | None = None,
        **synthesis_kwargs: Any,
    ) -> None:
        super().__init__()
        for name, given in (("mapping", mapping_kwargs), ("rendering", rendering_kwargs), ("sr", sr_kwargs)):
            if not isinstance(given or {}, Mapping):
                raise InputError(f"Expected {name}_kwargs as a dict, found {given!r:.80}.")
        mapping_kwargs, sr_kwargs = dict(mapping_kwargs or {}), dict(sr_kwargs or {})
        check_sr_kwargs(sr_kwargs)
        mode = CondMode.parse(cond_mode)  # type: ignore[arg-type]
        if img_channels != 3:
            raise InputError(f"Expected img_channels 3, found {img_channels}.")
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.img_resolution, self.img_channels, self.cond_mode = img_resolution, img_channels, cond_mode
        self.backbone_resolution, self.triplane_width = backbone_resolution, triplane_width
        self.rendering_kwargs = dict(rendering_kwargs or {})
        # The original reads it here only: a live setting of that name changes nothing.
        self.use_triplane = bool(self.rendering_kwargs.get("use_triplane", False))
        self.neural_rendering_resolution = 64
        require_counts(triplane_width=triplane_width, triplane_depth=self.triplane_depth)
        self.backbone = Backbone(
            z_dim,
            c_dim + mode.resnetcond,
            w_dim,
            img_resolution=backbone_resolution,
            img_channels=PLANES * triplane_width * self.triplane_depth,
            cond_mode=str(cond_mode),
            mapping_kwargs=mapping_kwargs,
            **synthesis_kwargs,
        )
        self.superresolution = superresolution_class(self._setting("superresolution_module"))(
            FEATURES,
            img_resolution,
            sr_num_fp16_res=sr_num_fp16_res,
            sr_antialias=bool(self._setting("sr_antialias")),
            channels_hidden=sr_channels_hidden,
            w_dim=w_dim,
            img_channels=img_channels,
            **sr_kwargs,
        )
        multiplier = self.rendering_kwargs.get("decoder_lr_mul", 1)
        self.decoder = OSGDecoder(triplane_width, outputs=FEATURES, lr_multiplier=multiplier)

    # -- loading ------------------------------------------------------------------------------------------------

    def fit_published_styles(self, state_dict: Mapping[str, Any], prefix: str = "") -> None:
        """Widen the styles of the super-resolution where a state dict about to be loaded has them as published.

        Published code makes them 512 wide whatever `w_dim` is. With another `w_dim` such a generator can be loaded and
        inspected, but makes no pictures.
        """
        found = shape_of(state_dict.get(f"{prefix}superresolution.block0.conv0.affine.weight"))
        if found is None or found[1:] != (PUBLISHED_STYLE,) or self.superresolution.w_dim == PUBLISHED_STYLE:
            return
        self.superresolution.w_dim = PUBLISHED_STYLE
        for block in self.superresolution.children():
            for layer in block.children():
                old = layer.get_submodule("affine").get_parameter("weight")
                layer.affine = FullyConnectedLayer(PUBLISHED_STYLE, len(old), bias_init=1).to(old.device)

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        self.fit_published_styles(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    # -- settings -----------------------------------------------------------------------------------------------

    def _setting(self, key: str) -> Any:
        return rendering_setting(self.rendering_kwargs, key)

    @property
    def num_ws(self) -> int:
        """Styles of the backbone."""
        return self.backbone.num_ws

    @property
    def box_warp(self) -> float:
        """Side of the cube, metres."""
        return box_side(self.rendering_kwargs)

    @property
    def triplane_depth(self) -> int:
        """Slices of a plane."""
        return int(self.rendering_kwargs.get("triplane_depth", 1))

    def set_force_sigmoid(self, state: bool) -> None:
        """See `OSGDecoder.set_force_sigmoid`."""
        self.decoder.set_force_sigmoid(state)

    def sampling(self, depth_clamp: Literal["batch", "view"] = "batch") -> Sampling:
        """How rays are sampled, from the live settings."""
        return sampling_of(self.rendering_kwargs, depth_clamp)

    def check_settings(self) -> None:
        """Read every live setting, so that a wrong one is met before any picture is asked for.

        Raises:
            InputError: a setting is missing, or has a value that nothing can be done with.
        """
        self.sampling()
        self.expected()
        self._superresolution_noise(GeneratorDraws())
        if self.c_dim:
            conditioning_label(torch.zeros(1, LABEL_SIZE), self.rendering_kwargs)

    def check_pasting(self) -> None:
        """Nothing if there is a depth at which the search for what hides a surface can begin.

        Raises:
            InputError: rays begin at the box (``auto``).
        """
        if self.sampling().ray_start == "auto":
            raise InputError("Expected ray_start in metres for pasting, found 'auto'.")

    def expected(self) -> Expected:
        """What a request has to fit."""
        size, device = self.neural_rendering_resolution, next(self.decoder.parameters()).device
        return Expected(self.z_dim, self.w_dim, self.num_ws, size, self.box_warp, device)

    # -- from latents to a field --------------------------------------------------------------------------------

    def mapping(
        self,
        z: Tensor,
        c: Tensor | None,
        cond: Mapping[str, Tensor] | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        *,
        update_emas: bool = False,
    ) -> Tensor:
        """(B, num_ws, w_dim) styles of (B, z_dim) latents and (B, 25) camera labels; see `MappingNetwork`.

        Labels may be None where the settings make nothing of them.
        """
        return self.backbone.mapping(z, self._label(c, cond, len(z)), truncation_psi, truncation_cutoff, update_emas)

    def mapping_zplus(
        self,
        zs: Tensor,
        c: Tensor | None,
        cond: Mapping[str, Tensor] | None = None,
        truncation_psi: float = 1,
        truncation_cutoff: int | None = None,
        *,
        update_emas: bool = False,
    ) -> Tensor:
        """(B, num_ws, w_dim) styles, each from its own latent of (B, num_ws, z_dim)."""
        batch, count, _ = zs.shape
        label = self._label(c, cond, batch)
        label = None if label is None else label.repeat_interleave(count, 0)
        ws = self.backbone.mapping(zs.flatten(0, 1), label, truncation_psi, truncation_cutoff, update_emas)
        return ws.reshape(batch, count, count, -1).diagonal(dim1=1, dim2=2).mT

    def _label(self, c: Tensor | None, cond: Mapping[str, Tensor] | None, batch: int) -> Tensor | None:
        mode = self.backbone.synthesis.cond_mode
        if self.c_dim == 0:
            label = torch.zeros(batch, 0, device=self.expected().device)
        elif c is not None:
            label = conditioning_label(c, self.rendering_kwargs)
        elif self._setting("c_gen_conditioning_zero"):
            label = conditioning_label(
                torch.zeros(batch, LABEL_SIZE, device=self.expected().device), self.rendering_kwargs
            )
        else:
            raise InputError("Expected camera_params, or elevations and azimuths, to find styles; found none of them.")
        return lengthened_label(mode, label, cond) if self.c_dim or mode.resnetcond else None

    def styles(self, request: Request, truncation_psi: float = 1, truncation_cutoff: int | None = None) -> Tensor:
        """(B, num_ws, w_dim) styles of a request: given, or mapped from its latents."""
        if request.ws is not None:
            return request.ws
        if request.zs is not None:
            return self.mapping_zplus(
                request.zs,
                request.labels,
                request.cond,
                truncation_psi,
                truncation_cutoff,
                update_emas=request.update_emas,
            )
        assert request.z is not None
        return self.mapping(
            request.z, request.labels, request.cond, truncation_psi, truncation_cutoff, update_emas=request.update_emas
        )

    def noise(self, mode: NoiseMode, draws: Draws | None = None) -> Noise:
        """Noise of the backbone."""
        return Noise(mode, draws, "backbone.synthesis.")

    def planes(
        self,
        ws: Tensor,
        cond: Mapping[str, Tensor] | None,
        noise: Noise,
        latent_injection: Mapping[str, Tensor] | None = None,
        stop_level: int | None = None,
    ) -> Tensor:
        """(B, 3, width · depth, R, R) planes; ``dw`` and ``dws`` are not added here (see `shifted`)."""
        image = self.backbone.synthesis(ws, cond, noise, latent_injection, stop_level)
        return image.reshape(len(ws), PLANES, -1, *image.shape[2:])

    def field(self, planes: Tensor) -> Field:
        """The radiance field of planes."""
        return Field(planes, self.decoder.weights(), self.box_warp, self.triplane_depth, self.use_triplane)

    # -- pictures -----------------------------------------------------------------------------------------------

    def pictures(
        self, composite: Composite, ws: Tensor, draws: Draws | None = None, normalize_images: bool = False
    ) -> dict[str, Tensor]:
        """``image``, ``image_raw``, ``image_depth``, ``image_weights`` and ``image_xyz`` of what square renders see."""
        return self.pictures_by(
            lambda raw, features, noise: self.superresolution(raw, features, ws, noise),
            composite,
            draws,
            normalize_images,
        )

    def pictures_by(
        self,
        enlarge: Callable[[Tensor, Tensor, Noise], Tensor],
        composite: Composite,
        draws: Draws | None = None,
        normalize_images: bool = False,
    ) -> dict[str, Tensor]:
        """`pictures` with a super-resolution that knows its styles: (raw, features, noise) → (B, 3, n, n)."""
        features = as_image(composite.features)
        raw = features[:, : self.img_channels]
        image = enlarge(raw, features, self._superresolution_noise(draws))
        if self.rendering_kwargs.get("tanh_rgb_output"):
            image, raw = torch.tanh(image), torch.tanh(raw)
        return {
            "image": image if normalize_images else 0.5 * image + 0.5,
            "image_raw": raw if normalize_images else 0.5 * raw + 0.5,
            "image_depth": as_image(composite.depth),
            "image_weights": as_image(composite.opacity),
            "image_xyz": as_image(composite.xyz),
        }

    def pass_over_pictures(self, draws: Draws, batch: int) -> None:
        """Draw what `pictures` would have drawn, so that a stream goes on as if it had been called."""
        noise = self._superresolution_noise(draws)
        for name, block in self.superresolution.named_children():
            block.noises(noise.below(name), batch)  # type: ignore[operator]

    def _superresolution_noise(self, draws: Draws | None) -> Noise:
        return Noise(self._setting("superresolution_noise_mode"), draws, "superresolution.")

    def front_for_pasting(
        self, cond: Mapping[str, Tensor], batch: int, device: torch.device, normalize_images: bool = False
    ) -> Tensor:
        """(B, 3, n, n) front image of the conditions in the range of the pictures.

        Raises:
            InputError: it has another size than the pictures, or rays begin at the box (``auto``).
        """
        self.check_pasting()
        front = condition(cond, "image_ortho_front", "(B, 3, H, W)", batch, device)
        size = (batch, 3, self.img_resolution, self.img_resolution)
        if tuple(front.shape) != size:
            raise InputError(f"Expected image_ortho_front of shape {size} for pasting, found {tuple(front.shape)}.")
        return 2 * front - 1 if normalize_images else front

    def pasted(
        self,
        images: Mapping[str, Tensor],
        rays: Rays,
        front: Tensor,
        params: PasteParams,
        *,
        occlusion: Callable[[Rays], Tensor],
        front_opacity: Callable[[], Tensor],
    ) -> Pasted:
        """Paste the image of `front_for_pasting` into what `pictures` gave for these rays; see `paste_front`."""
        return paste_front(
            images["image"],
            front,
            Surface(images["image_weights"], images["image_xyz"], rays),
            params,
            box_warp=self.box_warp,
            ray_start=float(self.sampling().ray_start),
            occlusion=occlusion,
            front_opacity=front_opacity,
        )
