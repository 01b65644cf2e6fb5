"""Transforms of (C, T, H, W) videos, over torchvision.transforms.v2: one operation for all frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional

from essmc_core.contract.annotations import Probability
from essmc_core.errors import InputError
from essmc_data.arguments.rules import check_ranges
from essmc_data.item import Item
from essmc_data.transforms.base import VideoTransform, per_frame
from essmc_data.transforms.image import Interpolation, size_pair
from essmc_data.transforms.scaled_size import check_scaled_size


class VideoToTensor(VideoTransform):
    """Makes (C, T, H, W) of the (T, H, W, C) uint8 frames that readers give.

    Args:
        backend: only ``"torchvision"``.
        input_key: which value to read, ``video`` by default.
        output_key: where to write; by default where it was read.
        rescale: whether to make float32 in [0, 1]; False keeps uint8 and copies nothing, so that cropping and scaling
            touch a quarter of the memory. `NormalizeVideo` takes both.
    """

    def __init__(
        self,
        backend: Literal["torchvision"] = "torchvision",
        input_key: str | None = None,
        output_key: str | None = None,
        rescale: bool = True,
    ) -> None:
        super().__init__(backend, input_key, output_key)
        self.rescale = rescale

    def apply(self, value: Any, item: Item) -> Tensor:
        """Returns the video.

        Raises:
            InputError: the value is not uint8 (T, H, W, C).
        """
        frames = torch.as_tensor(value)
        if frames.ndim != 4 or frames.dtype is not torch.uint8:
            raise InputError(f"VideoToTensor takes uint8 (T, H, W, C), and got {frames.dtype} {tuple(frames.shape)}.")
        video = frames.permute(3, 0, 1, 2)
        if not self.rescale:
            return video
        return torch.empty(video.shape, dtype=torch.float32).copy_(video).div_(255)


class NormalizeVideo(VideoTransform):
    """Subtracts the mean of each channel and divides by its deviation.

    Args:
        mean: per channel, of values in [0, 1].
        std: per channel.
        backend: only ``"torchvision"``.
        input_key: which value to read, ``video`` by default.
        output_key: where to write; by default where it was read.
    """

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        backend: Literal["torchvision"] = "torchvision",
        input_key: str | None = None,
        output_key: str | None = None,
    ) -> None:
        super().__init__(backend, input_key, output_key)
        self.mean = torch.tensor(list(mean), dtype=torch.float32).view(-1, 1, 1, 1)
        self.std = torch.tensor(list(std), dtype=torch.float32).view(-1, 1, 1, 1)

    def apply(self, value: Any, item: Item) -> Tensor:
        """Returns the normalised float32 video; uint8 is divided by 255 first.

        Raises:
            InputError: the number of channels differs.
        """
        video = self.check(value)
        if len(self.mean) not in (1, len(video)):
            raise InputError(f"The video has {len(video)} channels, mean has {len(self.mean)}; the layout is CTHW.")
        if video.is_floating_point():
            return (video - self.mean).div_(self.std)
        scaled = torch.empty(video.shape, dtype=torch.float32).copy_(video).div_(255)
        return scaled.sub_(self.mean).div_(self.std)


class RandomResizedCropVideo(VideoTransform):
    """Cuts the same part of random area and ratio out of all frames, and scales it.

    Args:
        size: (height, width), or the side of a square.
        scale: range of the part's area over the frame's.
        ratio: range of width over height.
        interpolation: how to scale.
        backend: only ``"torchvision"``.
        input_key: which value to read, ``video`` by default.
        output_key: where to write; by default where it was read.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        interpolation: Interpolation = "bilinear",
        backend: Literal["torchvision"] = "torchvision",
        input_key: str | None = None,
        output_key: str | None = None,
    ) -> None:
        super().__init__(backend, input_key, output_key)
        check_ranges(scale, ratio)
        self._crop = v2.RandomResizedCrop(size_pair(size), scale, ratio, InterpolationMode(interpolation))

    def apply(self, value: Any, item: Item) -> Tensor:
        """Returns the part, scaled."""
        return per_frame(self._crop, self.check(value))


class CenterCropVideo(VideoTransform):
    """Cuts out the centre of all frames; smaller frames are padded with 0.

    Args:
        size: (height, width), or the side of a square.
        backend: only ``"torchvision"``.
        input_key: which value to read, ``video`` by default.
        output_key: where to write; by default where it was read.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        backend: Literal["torchvision"] = "torchvision",
        input_key: str | None = None,
        output_key: str | None = None,
    ) -> None:
        super().__init__(backend, input_key, output_key)
        self.size = size_pair(size)

    def apply(self, value: Any, item: Item) -> Tensor:
        """Returns the centre."""
        cut: Tensor = functional.center_crop(self.check(value), self.size)
        return cut


class RandomHorizontalFlipVideo(VideoTransform):
    """Mirrors all frames left and right, or none.

    Args:
        p: probability.
        backend: only ``"torchvision"``.
        input_key: which value to read, ``video`` by default.
        output_key: where to write; by default where it was read.
    """

    def __init__(
        self,
        p: Probability = 0.5,
        backend: Literal["torchvision"] = "torchvision",
        input_key: str | None = None,
        output_key: str | None = None,
    ) -> None:
        super().__init__(backend, input_key, output_key)
        self._flip = v2.RandomHorizontalFlip(p)

    def apply(self, value: Any, item: Item) -> Tensor:
        """Returns the video or its mirror image."""
        flipped: Tensor = self._flip(self.check(value))
        return flipped


class ResizeVideo(VideoTransform):
    """Scales all frames.

    Args:
        size: (height, width), or the length of the shorter side, which keeps the ratio.
        interpolation_mode: how to scale.
        backend: only ``"torchvision"``.
        input_key: which value to read, ``video`` by default.
        output_key: where to write; by default where it was read.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation_mode: Interpolation = "bilinear",
        backend: Literal["torchvision"] = "torchvision",
        input_key: str | None = None,
        output_key: str | None = None,
    ) -> None:
        super().__init__(backend, input_key, output_key)
        sides = [size] if isinstance(size, int) else list(size)
        self._shorter = sides[0] if len(sides) == 1 else None
        self._resize = v2.Resize(sides, InterpolationMode(interpolation_mode))

    def apply(self, value: Any, item: Item) -> Tensor:
        """Returns the scaled video.

        Raises:
            UnreadableInput: thin frames would become very large.
        """
        video = self.check(value)
        if self._shorter is not None:
            check_scaled_size(video.shape[-2], video.shape[-1], self._shorter, item)
        return per_frame(self._resize, video)
