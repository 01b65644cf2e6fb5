"""Runs any image backbone on clips."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from essmc_core import BACKBONES, Backbone
from essmc_core.contract.features import FeatureInfo
from essmc_core.contract.input_tensors import check_backbone_input
from essmc_core.contract.recording import is_tracing
from essmc_core.errors import ConfigError, InputError
from essmc_core.weights.lifted import ImageNetwork
from essmc_video.layers.frames import to_clips, to_images
from essmc_video.lift.calibrating import ROUTE, add_calibrations
from essmc_video.lift.clip_length import ClipLength
from essmc_video.lift.inflating import inflate_convolutions
from essmc_video.lift.rules import check_arguments
from essmc_video.lift.shifting import add_shifts

NEEDED = ("layout", "in_chans", "out_channels", "num_features", "feature_rank", "feature_info", "forward_features")


class Lift2D(nn.Module):
    """An image backbone as a video backbone; its image weights, and their keys below ``backbone.``, stay.

    `load_pretrained` takes image weights under their own names too, and inflates them as the mode says.

    Frames become one batch of images. What the backbone returns for them is put together again: maps (C, H, W) as a
    map (N, C, T, H, W); vectors (C,) as their mean over time, (N, C). A linear head on that mean equals the mean of
    the scores of all frames, the consensus of TSN.

    * ``tsn``: every frame by itself. Wang et al., "Temporal Segment Networks", ECCV 2016.
    * ``tsm``: some channels are moved to neighbouring frames in front of the first convolution of each block, or in
      front of the first norm of each transformer block; networks without blocks (VGG, Inception) shift in front of
      every spatial convolution but the first. Lin et al., "TSM", ICCV 2019.
    * ``tada``: the weights of every spatial convolution but the first are calibrated per frame. Starts as ``tsn``.
      Huang et al., "TAda!", ICLR 2022.
    * ``inflate``: every spatial convolution becomes a 3D one. Starts as ``tsn`` on clips whose frames are equal, and
      with ``inflation: centre`` on all clips. Carreira and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017.

    Args:
        backbone: any image backbone, e.g. ``timm/resnet50``.
        mode: how frames learn of each other.
        num_frames: frames of the clips, others are then refused; None takes clips of any length. Gradient
            checkpointing needs a number, except for ``tsn``.
        shift_div: for ``tsm``: channels over those that move either way.
        shift_every: for ``tsm``: shift the first of so many blocks of each stage; by default every block, and every
            other one where a stage has 23 blocks or more, as the authors do for ResNet-101 and deeper.
        route_ratio: for ``tada``: channels over hidden channels of a calibration.
        route_kernels: for ``tada``: frames that the two convolutions of a calibration see, odd.
        temporal_kernel: for ``inflate``: frames that a 3D convolution sees, odd.
        inflation: for ``inflate``: ``average`` repeats 2D weights over time and divides by their number, ``centre``
            puts them on the middle frame among zeros.

    Attributes:
        feature_info: that of the image backbone.

    Raises:
        ConfigError: not an image backbone, an even kernel, or a mode that the backbone has no layers for.
    """

    layout = "NCTHW"

    def __init__(
        self,
        backbone: Backbone,
        mode: Literal["tsn", "tsm", "tada", "inflate"] = "tsn",
        num_frames: int | None = None,
        shift_div: int = 8,
        shift_every: int | None = None,
        route_ratio: int = 4,
        route_kernels: Sequence[int] = (3, 3),
        temporal_kernel: int = 3,
        inflation: Literal["average", "centre"] = "average",
    ) -> None:
        super().__init__()
        self.backbone: nn.Module = BACKBONES.build(backbone)
        _check_backbone(self.backbone)
        check_arguments(
            mode, num_frames, shift_div, shift_every, route_ratio, route_kernels, temporal_kernel, inflation
        )
        self.mode = mode
        self.inflation = inflation
        self.num_frames = num_frames
        self.in_chans: int = self.backbone.in_chans
        self.out_channels: int = self.backbone.out_channels
        self.num_features: int = self.backbone.num_features
        self.feature_rank = 3 if self.backbone.feature_rank == 2 else 0
        self._clip = ClipLength(num_frames or 1)
        if mode == "tsm":
            add_shifts(self.backbone, self._clip, shift_div, shift_every)
        elif mode == "tada":
            add_calibrations(self.backbone, self._clip, route_ratio, route_kernels)
        elif mode == "inflate":
            inflate_convolutions(self.backbone, self._clip, temporal_kernel, inflation)

    @property
    def feature_info(self) -> list[FeatureInfo]:
        """The intermediate features of the image backbone."""
        # Backbones may find them by a forward pass of their own, on single images.
        with self._clip.during(1):
            found: Sequence[FeatureInfo] = self.backbone.feature_info  # type: ignore[assignment]
            return [dataclasses.replace(one, name=f"backbone.{one.name}") for one in found]

    def image_network(self) -> ImageNetwork:
        """Returns where weights of the image backbone go, which `load_pretrained` then takes as they are."""
        new = tuple(key for key in self.state_dict() if f".{ROUTE}." in key) if self.mode == "tada" else ()
        return ImageNetwork("backbone", self.inflation if self.mode == "inflate" else None, new)

    def forward(self, video: Tensor) -> Tensor:
        """Returns what the image backbone returns, as maps with time, or averaged over time.

        Args:
            video: normalised clips (N, C, T, H, W).

        Returns:
            (N, out_channels, T, H', W') where the image backbone returns maps, (N, out_channels) where vectors.

        Raises:
            InputError: another rank, other channels, another number type, or another number of frames.
        """
        length = self._check(video)
        with self._clip.during(length):
            features: Tensor = self.backbone(to_images(video))
        return (
            to_clips(features, length) if features.ndim == 4 else torch.unflatten(features, 0, (-1, length)).mean(dim=1)
        )

    def forward_features(self, x: Tensor, out_indices: Sequence[int] | None = None) -> Tensor | list[Tensor]:
        """Returns the last map as (N, C, T, H', W'), or a list of those at ``out_indices``.

        Raises:
            InputError: as `forward`.
            IndexError: there is no feature of that index.
        """
        length = self._check(x)
        if out_indices is not None:
            # Makes the backbone find its features before the layers expect clips.
            _ = self.feature_info
        with self._clip.during(length):
            found: Tensor | list[Tensor] = self.backbone.forward_features(to_images(x), out_indices)  # type: ignore[operator]
        return to_clips(found, length) if isinstance(found, Tensor) else [to_clips(one, length) for one in found]

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Computes activations of the image backbone again in the backward pass instead of keeping them.

        Raises:
            ConfigError: frames learn of each other, and the number of frames is not fixed; a layer that runs again
                could then not know where clips end.
        """
        if enable and self.mode != "tsn" and self.num_frames is None:
            raise ConfigError(
                f"gradient checkpointing in mode {self.mode} needs to know the number of frames",
                hint="build the backbone with num_frames",
            )
        self.backbone.set_grad_checkpointing(enable)  # type: ignore[operator]

    def _check(self, video: Tensor) -> int:
        """Returns the number of frames of clips that are fit to take."""
        check_backbone_input(video, self, "NCTHW", self.in_chans, name="the backbone")
        if is_tracing() and self.num_frames is not None:
            return self.num_frames
        # While a model is traced sizes are not numbers; this one becomes part of the trace.
        length = int(video.shape[2])
        if self.num_frames not in (None, length):
            raise InputError(
                f"the backbone was built for clips of {self.num_frames} frames, got {length}",
                hint=f"build it with num_frames={length}: no weights depend on it",
            )
        return length

    def extra_repr(self) -> str:
        """Returns the mode."""
        return f"mode={self.mode}, num_frames={self.num_frames}"


def _check_backbone(backbone: nn.Module) -> None:
    # The class first, since reading a property may cost a forward pass.
    missing = [name for name in NEEDED if not (hasattr(type(backbone), name) or hasattr(backbone, name))]
    if missing:
        raise ConfigError(
            f"{type(backbone).__name__} is not a backbone with the uniform interface: it lacks {', '.join(missing)}",
            hint="see essmc_core.contract.features.BackboneInterface",
        )
    if backbone.layout != "NCHW":
        raise ConfigError(
            f"a lift takes an image backbone, and {type(backbone).__name__} takes {backbone.layout}",
            hint="use that backbone by itself",
        )
