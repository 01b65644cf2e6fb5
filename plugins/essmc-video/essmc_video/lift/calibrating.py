"""Gives an image backbone the temporally adaptive convolutions of TAda2D."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from essmc_core.errors import ConfigError
from essmc_video.layers.frames import to_clips, to_images
from essmc_video.layers.tada_conv import RouteFuncMLP
from essmc_video.lift.clip_length import ClipLength
from essmc_video.lift.layers_found import spatial_convolutions

ROUTE = "calibration"


class CalibrateInput:
    """Pre-forward hook that scales what a convolution sees, which equals scaling its weights per frame.

    Args:
        clip: frames per clip.
    """

    def __init__(self, clip: ClipLength) -> None:
        self.clip = clip

    def __call__(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Returns the convolution's arguments, the first one scaled."""
        frames: Tensor = args[0]
        scale: Tensor = module.get_submodule(ROUTE)(to_clips(frames, self.clip.frames))
        return (frames * to_images(scale), *args[1:])


def add_calibrations(backbone: nn.Module, clip: ClipLength, ratio: int, kernels: Sequence[int]) -> None:
    """Calibrates every spatial convolution but the first, in place; a new calibration changes nothing.

    The weights of a calibration are kept below the convolution, as ``<convolution>.calibration``.

    Args:
        backbone: the image backbone.
        clip: frames per clip.
        ratio: channels over hidden channels of a calibration.
        kernels: frames that its two convolutions see.

    Raises:
        ConfigError: the backbone is not a convolutional network.
    """
    # The first one reads pixels, of which there is nothing to calibrate.
    convolutions = spatial_convolutions(backbone)[1:]
    if not convolutions:
        raise ConfigError(
            f"{type(backbone).__name__} has no spatial convolutions beyond its first, so there is nothing to calibrate",
            hint="mode: tsn runs any image backbone frame by frame, mode: tsm shifts transformers too",
        )
    for _, convolution in convolutions:
        reduction = min(ratio, convolution.in_channels)
        convolution.add_module(ROUTE, RouteFuncMLP(convolution.in_channels, reduction, kernels))
        convolution.register_forward_pre_hook(CalibrateInput(clip))
