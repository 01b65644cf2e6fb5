"""What every transform is: a callable that takes an item and returns a new one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from essmc_core.errors import InputError
from essmc_data.errors import PipelineMistake
from essmc_data.item import Item


class ItemTransform(ABC):
    """Reads one value of an item and writes one; the item it was given stays as it was.

    Args:
        input_key: which value to read.
        output_key: where to write; by default where it was read.
    """

    def __init__(self, input_key: str, output_key: str | None) -> None:
        self.input_key = input_key
        self.output_key = output_key or input_key

    def __call__(self, item: Item) -> Item:
        """Returns a new item."""
        if self.input_key not in item:
            raise PipelineMistake(
                f"{type(self).__name__} reads {self.input_key!r}, and the item has {', '.join(item) or 'nothing'}.",
                hint="Set input_key, or put a loading transform before it.",
            )
        return {**item, self.output_key: self.apply(item[self.input_key], item)}

    @abstractmethod
    def apply(self, value: Any, item: Item) -> Any:
        """Returns the new value.

        Args:
            value: what ``input_key`` holds.
            item: the whole item, to read from.
        """


class ImageTransform(ItemTransform):
    """Works on a PIL image, an (H, W, C) uint8 array, or a (C, H, W) tensor, and returns the same kind.

    Args:
        backend: which of the three the pipeline uses; the value itself decides, this is kept for configurations.
        input_key: which value to read, ``img`` by default.
        output_key: where to write; by default where it was read.
    """

    def __init__(
        self,
        backend: Literal["pillow", "cv2", "torchvision"] = "pillow",
        input_key: str | None = None,
        output_key: str | None = None,
    ) -> None:
        super().__init__(input_key or "img", output_key)
        self.backend = backend

    def through(self, operation: Callable[[Any], Any], value: Any) -> Any:
        """Applies an operation of torchvision, which takes PIL images and (C, H, W) tensors, to any of the kinds."""
        if not isinstance(value, np.ndarray):
            return operation(value)
        rows = value if value.ndim == 3 else value[:, :, None]
        # Arrays with negative strides, as flips make them, are not taken by torch.
        made: Tensor = operation(torch.from_numpy(np.ascontiguousarray(rows)).permute(2, 0, 1))
        return np.ascontiguousarray(made.permute(1, 2, 0).numpy()).reshape(*made.shape[1:], *value.shape[2:])


class VideoTransform(ItemTransform):
    """Works on a (C, T, H, W) tensor.

    Args:
        backend: only ``"torchvision"`` exists; kept for configurations.
        input_key: which value to read, ``video`` by default.
        output_key: where to write; by default where it was read.
    """

    def __init__(
        self,
        backend: Literal["torchvision"] = "torchvision",
        input_key: str | None = None,
        output_key: str | None = None,
    ) -> None:
        super().__init__(input_key or "video", output_key)
        self.backend = backend

    def check(self, value: Any) -> Tensor:
        """Returns the video.

        Raises:
            InputError: it is no tensor of four dimensions.
        """
        if not isinstance(value, Tensor) or value.ndim != 4:
            found = tuple(value.shape) if hasattr(value, "shape") else type(value).__name__
            raise InputError(f"{type(self).__name__} takes a video tensor (C, T, H, W), and got {found}.")
        return value


def per_frame(operation: Callable[[Tensor], Tensor], video: Tensor) -> Tensor:
    """Applies an operation on (T, C, H, W) to a (C, T, H, W) video, all frames at once."""
    return operation(video.transpose(0, 1)).transpose(0, 1)
