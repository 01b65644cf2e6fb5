"""Reading pictures from files."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from essmc_core.errors import InputError
from essmc_data.item import Item, path_of
from essmc_data.readers.pictures import read_picture


class LoadImageFromFile:
    """Reads ``meta.img_path`` (below ``meta.prefix``), a local path or URL, into ``img``.

    Args:
        rgb_order: order of the channels; a PIL image is RGB always.
        backend: ``pillow`` gives a PIL image, ``cv2`` an (H, W, C) uint8 array, ``torchvision`` a (C, H, W) uint8
            tensor.

    Raises:
        InputError: ``BGR`` is asked of a PIL image.
        UnreadableInput: the file is missing, damaged or no picture.
    """

    def __init__(
        self, rgb_order: Literal["RGB", "BGR"] = "RGB", backend: Literal["pillow", "cv2", "torchvision"] = "pillow"
    ) -> None:
        if rgb_order == "BGR" and backend == "pillow":
            raise InputError("PIL images are RGB.", hint="Set backend to cv2 or torchvision for BGR.")
        self.rgb_order = rgb_order
        self.backend = backend

    def __call__(self, item: Item) -> Item:
        """Returns a new item."""
        picture = read_picture(path_of(item, "img_path"))
        if self.backend == "pillow":
            return {**item, "img": picture}
        array = np.array(picture)
        if self.rgb_order == "BGR":
            array = np.ascontiguousarray(array[:, :, ::-1])
        if self.backend == "cv2":
            return {**item, "img": array}
        return {**item, "img": torch.from_numpy(array).permute(2, 0, 1).contiguous()}


class LoadPILImageFromFile(LoadImageFromFile):
    """Reads ``meta.img_path`` into ``img`` as a PIL image.

    Args:
        rgb_order: only RGB.
    """

    def __init__(self, rgb_order: Literal["RGB", "BGR"] = "RGB") -> None:
        super().__init__(rgb_order, "pillow")


class LoadCvImageFromFile(LoadImageFromFile):
    """Reads ``meta.img_path`` into ``img`` as an (H, W, C) uint8 array.

    Args:
        rgb_order: order of the channels.
    """

    def __init__(self, rgb_order: Literal["RGB", "BGR"] = "RGB") -> None:
        super().__init__(rgb_order, "cv2")
