"""The square crops of multi-view evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from essmc_core.errors import InputError
from essmc_data.arguments.rules import check_ranges
from essmc_data.item import Item
from essmc_data.transforms.base import VideoTransform, per_frame
from essmc_data.transforms.image import Interpolation, size_pair

CROP_MODES = ("cc", "ll", "rr", "tl", "tr", "bl", "br", "cl", "cr")
"""Where a crop lies: vertical (top, centre, bottom) and horizontal (left, centre, right). ``ll`` and ``rr`` are the two
ends of the longer side, whichever that is, so that the crops of a three-crop test differ on upright videos too."""
_VERTICAL = {"t": 0.0, "c": 0.5, "b": 1.0}
_HORIZONTAL = {"l": 0.0, "c": 0.5, "r": 1.0}


def crop_place(mode: str, height: int, width: int, side: int) -> tuple[int, int]:
    """Returns (top, left) of a square of that side in a frame.

    Raises:
        InputError: there is no such mode.
    """
    if mode not in CROP_MODES:
        raise InputError(f"There is no crop mode {mode!r}.", hint=f"Choose from {', '.join(CROP_MODES)}.")
    if mode in ("ll", "rr"):
        end = 0.0 if mode == "ll" else 1.0
        down, along = (0.5, end) if width >= height else (end, 0.5)
    else:
        down, along = _VERTICAL[mode[0]], _HORIZONTAL[mode[1]]
    return int((height - side) * down), int((width - side) * along)


class AutoResizedCropVideo(VideoTransform):
    """Cuts the square that ``meta.crop_mode`` names (see `CROP_MODES`; the centre by default) and scales it.

    Its side is the frame's shorter side times a factor: the largest of ``scale``, or, for items whose ``meta.mode`` is
    ``train``, a random one. Evaluation is thus deterministic.

    Args:
        size: (height, width), or the side of a square.
        scale: range of the square's side over the shorter side of the frame.
        interpolation_mode: how to scale.
        backend: only ``"torchvision"``.
        input_key: which value to read, ``video`` by default.
        output_key: where to write; by default where it was read.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: tuple[float, float] = (0.08, 1.0),
        interpolation_mode: Interpolation = "bilinear",
        backend: Literal["torchvision"] = "torchvision",
        input_key: str | None = None,
        output_key: str | None = None,
    ) -> None:
        super().__init__(backend, input_key, output_key)
        self.size = size_pair(size)
        check_ranges(scale)
        self.scale = (float(scale[0]), float(scale[1]))
        self.interpolation = InterpolationMode(interpolation_mode)

    def apply(self, value: Any, item: Item) -> Tensor:
        """Returns the square, scaled."""
        video, meta = self.check(value), item.get("meta") or {}
        height, width = video.shape[-2:]
        factor = self.scale[1]
        if meta.get("mode") == "train":
            factor = self.scale[0] + (self.scale[1] - self.scale[0]) * torch.rand(()).item()
        side = max(1, int(min(height, width) * factor))
        top, left = crop_place(meta.get("crop_mode") or "cc", height, width, side)
        return per_frame(
            lambda frames: functional.resized_crop(frames, top, left, side, side, self.size, self.interpolation), video
        )
