"""Random changes of colour, of a whole clip alike or of each frame, computed for all frames at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from essmc_core.errors import InputError
from essmc_data.arguments.rules import colour_ranges
from essmc_data.item import Item
from essmc_data.transforms.base import VideoTransform

_LUMA = (0.2989, 0.587, 0.114)
Strength = float | tuple[float, float]


class ColorJitterVideo(VideoTransform):
    """Changes brightness, contrast, saturation and hue of an RGB video in [0, 1], and makes some videos grey.

    Args:
        brightness: factor in [1 - b, 1 + b], or (low, high).
        contrast: likewise, around the frame's mean grey.
        saturation: likewise, around each pixel's grey.
        hue: shift in [-h, h] turns of the colour circle, at most 0.5, or (low, high).
        grayscale: probability of grey.
        consistent: whether all frames of a clip change alike.
        shuffle: whether the order of the four changes is random.
        gray_first: whether grey comes before the other changes.
        input_key: which value to read, ``video`` by default.
        output_key: where to write; by default where it was read.

    Raises:
        ConfigError: a range is not possible.
    """

    def __init__(
        self,
        brightness: float | tuple[float, float] = 0.0,
        contrast: float | tuple[float, float] = 0.0,
        saturation: float | tuple[float, float] = 0.0,
        hue: float | tuple[float, float] = 0.0,
        grayscale: float = 0.0,
        consistent: bool = False,
        shuffle: bool = True,
        gray_first: bool = True,
        input_key: str | None = None,
        output_key: str | None = None,
    ) -> None:
        super().__init__("torchvision", input_key, output_key)
        self.ranges = colour_ranges(brightness, contrast, saturation, hue)
        self.grayscale = grayscale
        self.consistent = consistent
        self.shuffle = shuffle
        self.gray_first = gray_first

    def apply(self, value: Any, item: Item) -> Tensor:
        """Returns the changed video, in [0, 1].

        Raises:
            InputError: it is no float RGB video.
        """
        video = self.check(value)
        if len(video) != 3 or not video.is_floating_point():
            raise InputError("ColorJitterVideo takes a float RGB video.", hint="Put VideoToTensor before it.")
        names = [name for name, limits in self.ranges.items() if limits is not None]
        if self.shuffle:
            names = [names[place] for place in torch.randperm(len(names)).tolist()]
        if self.gray_first:
            video = self._some_gray(video)
        for name in names:
            limits = self.ranges[name]
            assert limits is not None
            low, high = limits
            video = _CHANGES[name](video, low + (high - low) * self._draw(video))
        return video if self.gray_first else self._some_gray(video)

    def _draw(self, video: Tensor) -> Tensor:
        """Returns uniform numbers (1, T, 1, 1), or (1, 1, 1, 1) where all frames change alike."""
        return torch.rand((1, 1 if self.consistent else video.shape[1], 1, 1))

    def _some_gray(self, video: Tensor) -> Tensor:
        if not self.grayscale:
            return video
        return torch.where(self._draw(video) < self.grayscale, _gray(video), video)


def _gray(video: Tensor) -> Tensor:
    weights = torch.tensor(_LUMA, dtype=video.dtype).view(3, 1, 1, 1)
    return (video * weights).sum(0, keepdim=True)


def _brightness(video: Tensor, factor: Tensor) -> Tensor:
    return (video * factor).clamp_(0, 1)


def _contrast(video: Tensor, factor: Tensor) -> Tensor:
    return torch.lerp(_gray(video).mean((2, 3), keepdim=True), video, factor).clamp_(0, 1)


def _saturation(video: Tensor, factor: Tensor) -> Tensor:
    return torch.lerp(_gray(video), video, factor).clamp_(0, 1)


def _hue(video: Tensor, shift: Tensor) -> Tensor:
    """Turns the hue of the HSV cone, keeping saturation and value (Foley & van Dam)."""
    red, green, blue = video
    value, low = video.amax(0), video.amin(0)
    chroma = value - low
    safe = torch.where(chroma == 0, 1.0, chroma)
    hue = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    turned = torch.remainder(hue + 6 * shift[0], 6)
    # Each channel is full, ramps, or is empty depending on its distance from the hue on the colour circle.
    offsets = torch.tensor((5.0, 3.0, 1.0), dtype=video.dtype).view(3, 1, 1, 1)
    phase = torch.remainder(offsets + turned, 6)
    return value - chroma * torch.minimum(phase, 4 - phase).clamp_(0, 1)


_CHANGES = {"brightness": _brightness, "contrast": _contrast, "saturation": _saturation, "hue": _hue}
