"""Transforms of still pictures, over torchvision.transforms.v2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional

from essmc_core.contract.annotations import Probability
from essmc_core.errors import InputError
from essmc_data.arguments.rules import check_ranges
from essmc_data.item import Item
from essmc_data.transforms.base import ImageTransform
from essmc_data.transforms.scaled_size import check_scaled_size

Interpolation = Literal["nearest", "nearest-exact", "bilinear", "bicubic", "box", "hamming", "lanczos"]


def size_pair(size: int | Sequence[int]) -> list[int]:
    """Returns [height, width]; an int is a square."""
    return [size, size] if isinstance(size, int) else [int(side) for side in size]


class RandomCrop(ImageTransform):
    """Cuts out a random part.

    Args:
        size: (height, width), or the side of a square.
        padding: pixels to add on all sides first: one number, (left and right, top and bottom), or four.
        pad_if_needed: whether to pad pictures that are smaller than ``size``.
        fill: value of constant padding.
        padding_mode: ``constant``, ``edge``, ``reflect`` or ``symmetric``.
        backend: see `ImageTransform`.
        input_key: which value to read, ``img`` by default.
        output_key: where to write; by default where it was read.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: float = 0,
        padding_mode: Literal["constant", "edge", "reflect", "symmetric"] = "constant",
        backend: Literal["pillow", "cv2", "torchvision"] = "pillow",
        input_key: str | None = None,
        output_key: str | None = None,
    ) -> None:
        super().__init__(backend, input_key, output_key)
        borders = padding if padding is None or isinstance(padding, int) else list(padding)
        self._crop = v2.RandomCrop(size_pair(size), borders, pad_if_needed, fill, padding_mode)

    def apply(self, value: Any, item: Item) -> Any:
        """Returns the part."""
        return self.through(self._crop, value)


class RandomResizedCrop(ImageTransform):
    """Cuts out a part of random area and ratio, and scales it (Szegedy et al., CVPR 2015).

    Args:
        size: (height, width), or the side of a square.
        scale: range of the part's area over the picture's.
        ratio: range of width over height.
        interpolation: how to scale.
        backend: see `ImageTransform`.
        input_key: which value to read, ``img`` by default.
        output_key: where to write; by default where it was read.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        interpolation: Interpolation = "bilinear",
        backend: Literal["pillow", "cv2", "torchvision"] = "pillow",
        input_key: str | None = None,
        output_key: str | None = None,
    ) -> None:
        super().__init__(backend, input_key, output_key)
        check_ranges(scale, ratio)
        self._crop = v2.RandomResizedCrop(size_pair(size), scale, ratio, InterpolationMode(interpolation))

    def apply(self, value: Any, item: Item) -> Any:
        """Returns the part, scaled."""
        return self.through(self._crop, value)


class Resize(ImageTransform):
    """Scales.

    Args:
        size: (height, width), or the length of the shorter side, which keeps the ratio.
        interpolation: how to scale.
        backend: see `ImageTransform`.
        input_key: which value to read, ``img`` by default.
        output_key: where to write; by default where it was read.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: Interpolation = "bilinear",
        backend: Literal["pillow", "cv2", "torchvision"] = "pillow",
        input_key: str | None = None,
        output_key: str | None = None,
    ) -> None:
        super().__init__(backend, input_key, output_key)
        sides = [size] if isinstance(size, int) else list(size)
        self._shorter = sides[0] if len(sides) == 1 else None
        self._resize = v2.Resize(sides, InterpolationMode(interpolation))

    def apply(self, value: Any, item: Item) -> Any:
        """Returns the scaled picture.

        Raises:
            UnreadableInput: a thin picture would become very large.
        """
        if self._shorter is not None:
            height, width = value.shape[:2] if isinstance(value, np.ndarray) else functional.get_size(value)
            check_scaled_size(height, width, self._shorter, item)
        return self.through(self._resize, value)


class CenterCrop(ImageTransform):
    """Cuts out the centre; smaller pictures are padded with 0.

    Args:
        size: (height, width), or the side of a square.
        backend: see `ImageTransform`.
        input_key: which value to read, ``img`` by default.
        output_key: where to write; by default where it was read.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        backend: Literal["pillow", "cv2", "torchvision"] = "pillow",
        input_key: str | None = None,
        output_key: str | None = None,
    ) -> None:
        super().__init__(backend, input_key, output_key)
        self._crop = v2.CenterCrop(size_pair(size))

    def apply(self, value: Any, item: Item) -> Any:
        """Returns the centre."""
        return self.through(self._crop, value)


class RandomHorizontalFlip(ImageTransform):
    """Mirrors left and right.

    Args:
        p: probability.
        backend: see `ImageTransform`.
        input_key: which value to read, ``img`` by default.
        output_key: where to write; by default where it was read.
    """

    def __init__(
        self,
        p: Probability = 0.5,
        backend: Literal["pillow", "cv2", "torchvision"] = "pillow",
        input_key: str | None = None,
        output_key: str | None = None,
    ) -> None:
        super().__init__(backend, input_key, output_key)
        self._flip = v2.RandomHorizontalFlip(p)

    def apply(self, value: Any, item: Item) -> Any:
        """Returns the picture or its mirror image."""
        return self.through(self._flip, value)


class Normalize(ImageTransform):
    """Subtracts the mean of each channel and divides by its deviation; takes a float (C, H, W) tensor.

    Args:
        mean: per channel.
        std: per channel.
        backend: see `ImageTransform`.
        input_key: which value to read, ``img`` by default.
        output_key: where to write; by default where it was read.
    """

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        backend: Literal["pillow", "cv2", "torchvision"] = "pillow",
        input_key: str | None = None,
        output_key: str | None = None,
    ) -> None:
        super().__init__(backend, input_key, output_key)
        self.mean, self.std = list(mean), list(std)

    def apply(self, value: Any, item: Item) -> Any:
        """Returns the normalised tensor.

        Raises:
            InputError: the value is no float tensor.
        """
        if not isinstance(value, Tensor) or not value.is_floating_point():
            raise InputError("Normalize takes a float tensor.", hint="Put ImageToTensor before it.")
        return functional.normalize(value, self.mean, self.std)


class ImageToTensor(ImageTransform):
    """Makes a float32 (C, H, W) tensor in [0, 1] of a PIL image, an (H, W, C) uint8 array or a uint8 tensor.

    Args:
        backend: see `ImageTransform`.
        input_key: which value to read, ``img`` by default.
        output_key: where to write; by default where it was read.
    """

    def apply(self, value: Any, item: Item) -> Tensor:
        """Returns the tensor."""
        if isinstance(value, np.ndarray):
            rows = value if value.ndim == 3 else value[:, :, None]
            value = torch.from_numpy(np.ascontiguousarray(rows)).permute(2, 0, 1)
        elif not isinstance(value, Tensor):
            value = functional.pil_to_tensor(value)
        made: Tensor = functional.to_dtype(value, torch.float32, scale=True)
        return made.contiguous()
