"""Reading pictures from files."""

from __future__ import annotations

import io
from typing import Any, Literal

import numpy as np
import torch

from essmc_core.errors import InputError
from essmc_core.inputs import picture_file
from essmc_core.inputs.files import checked_file
from essmc_data.sources import is_url, join, local_path, read_bytes
from essmc_data.transforms.base import Item


def read_picture(path: str) -> Any:
    """Returns the picture of a file or URL as PIL's, RGB, upright by its EXIF tag.

    Raises:
        UnreadableInput: it is missing, empty, damaged, no picture, or larger than
            `essmc_core.inputs.picture_file.MAX_PIXELS`.
    """
    source = io.BytesIO(read_bytes(path)) if is_url(path) else checked_file(local_path(path))
    return picture_file.read_picture(source, path)


def path_of(item: Item, key: str) -> str:
    """Returns the path in an item's ``meta``, below its ``prefix``.

    Raises:
        InputError: the item names none.
    """
    meta = item.get("meta") or {}
    if key not in meta:
        raise InputError(f"The item's meta has no {key!r}: it has {', '.join(meta) or 'nothing'}.")
    return join(meta.get("prefix"), str(meta[key]))


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
