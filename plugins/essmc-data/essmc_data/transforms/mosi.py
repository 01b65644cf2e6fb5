"""Pseudo motion from still pictures: clips whose only movement is that of a window over one frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from essmc_core import Transform
from essmc_core.contract.annotations import PositiveInt
from essmc_core.errors import InputError
from essmc_data.arguments.rules import check_motion
from essmc_data.item import Item
from essmc_data.transforms.base import ItemTransform
from essmc_data.transforms.compose import as_transform


class MoSIGenerator(ItemTransform):
    """Makes one clip of each motion class from random frames of a video (MoSI, Huang et al., CVPR 2021).

    A window moves over a still frame at a constant speed; outside a static mask, the clip then stands still. The
    classes are speeds (x, y) of ``num_speeds`` steps each, in the order: speeds along x, along y, no motion.

    Args:
        crop_size: side of the square window.
        num_frames: frames of a clip.
        num_speeds: speeds per axis, odd: 5 are -2, -1, 0, 1 and 2; the fastest crosses the whole frame.
        mode: ``train`` draws start and distance; otherwise the motion is centred.
        aspect_ratio: range of width over height of the part that is cut from the frame.
        distance_jitter: range of a factor on the distance in training; the fastest speed is never exceeded.
        data_mode: axes of motion: ``x``, ``y`` or ``xy``.
        label_mode: ``joint`` labels number the classes; ``separate`` ones the speed of each axis.
        decouple: whether motion is along one axis at a time.
        zero_out: whether to leave out the class without motion.
        static_mask_enable: whether to let only a random box move, over a background that stands still.
        mask_size_ratio: range of the box's sides over the frame's.
        frame_size_standardize_enable: whether to scale and cut the frame to ``standard_size`` first.
        standard_size: side of the square; or (shortest, longest, side), to scale to a random short side before.
        transforms: applied to each clip before the mask; must make (C, T, H, W) of (T, H, W, C).
        out_label_key: where the labels are written: ``{"move_joint": (n,)}`` or ``{"move_x": (n,), "move_y": (n,)}``.
        input_key: which value to read, ``video`` by default: (T, H, W, C).
        output_key: where to write (n, C, T, H, W); by default where it was read.

    Raises:
        ConfigError: the arguments exclude each other.
    """

    def __init__(
        self,
        crop_size: int | Sequence[int],
        num_frames: PositiveInt,
        num_speeds: PositiveInt,
        mode: Literal["train", "eval", "test"] = "test",
        aspect_ratio: tuple[float, float] = (1, 1),
        distance_jitter: tuple[float, float] = (1, 1),
        data_mode: Literal["x", "y", "xy"] = "xy",
        label_mode: Literal["joint", "separate"] = "joint",
        decouple: bool = True,
        zero_out: bool = False,
        static_mask_enable: bool = True,
        mask_size_ratio: tuple[float, float] = (0.3, 0.5),
        frame_size_standardize_enable: bool = True,
        standard_size: int | Sequence[int] = 320,
        transforms: Sequence[Transform] | Transform | None = None,
        out_label_key: str = "mosi_label",
        input_key: str | None = None,
        output_key: str | None = None,
    ) -> None:
        super().__init__(input_key or "video", output_key)
        check_motion(num_speeds, data_mode, decouple, distance_jitter)
        self.crop_size = crop_size if isinstance(crop_size, int) else int(crop_size[0])
        self.num_frames = num_frames
        self.num_speeds = num_speeds
        self.mode = mode
        self.aspect_ratio = aspect_ratio
        self.distance_jitter = distance_jitter
        self.label_mode = label_mode
        self.zero_out = zero_out
        self.static_mask_enable = static_mask_enable
        self.mask_size_ratio = mask_size_ratio
        self.frame_size_standardize_enable = frame_size_standardize_enable
        self.standard_size = standard_size
        self.out_label_key = out_label_key
        self._transform = as_transform(transforms)
        self.speeds = _speed_set(num_speeds // 2, data_mode, decouple, zero_out)

    def labels(self) -> dict[str, Tensor]:
        """Returns the labels of the clips, each (n,)."""
        if self.label_mode == "joint":
            return {"move_joint": torch.arange(len(self.speeds))}
        speeds = torch.tensor(self.speeds)
        # Without the class that stands still, no label is left for speed 0 along a single axis of motion.
        numbered = speeds + self.num_speeds // 2 - (speeds > 0).long() * self.zero_out
        return {"move_x": numbered[:, 0], "move_y": numbered[:, 1]}

    def __call__(self, item: Item) -> Item:
        """Returns a new item."""
        return {**super().__call__(item), self.out_label_key: self.labels()}

    def apply(self, value: Any, item: Item) -> Tensor:
        """Returns clips (n, C, T, H, W), one of each class."""
        return torch.stack([self._clip(value, speed) for speed in self.speeds])

    def _clip(self, video: Tensor, speed: tuple[int, int]) -> Tensor:
        frame = video[int(torch.randint(len(video), ()))]
        if self.frame_size_standardize_enable:
            frame = self._standardise(frame)
        height, width = frame.shape[:2]
        columns, rows = self._path(speed[0], width), self._path(speed[1], height)
        window = torch.arange(self.crop_size)
        moving = frame[(rows[:, None] + window)[:, :, None], (columns[:, None] + window)[:, None, :]]
        clip: Tensor = self._transform({"video": moving, "meta": {"mode": self.mode}})["video"]
        return self._mask(clip) if self.static_mask_enable else clip

    def _path(self, speed: int, length: int) -> Tensor:
        """Returns the window's offset at each frame (T,)."""
        room = length - self.crop_size
        if room < 0 or (room == 0 and speed):
            raise InputError(f"A window of {self.crop_size} cannot move in {length} pixels.", hint="Lower crop_size.")
        distance = room * speed / (self.num_speeds // 2)
        low, high = 1.0, 1.0
        if self.mode == "train":
            low, high = self.distance_jitter
        distance = max(-room, min(room, distance * _uniform(low, high)))
        first, last = max(0.0, -distance), min(float(room), room - distance)
        start = _uniform(first, last) if self.mode == "train" else (room - distance) / 2
        offsets = torch.linspace(start, start + distance, self.num_frames, dtype=torch.float64)
        return (offsets + 1e-6).floor().long().clamp_(0, room)

    def _standardise(self, frame: Tensor) -> Tensor:
        if isinstance(self.standard_size, int):
            short = side = self.standard_size
        else:
            least, most, side = (int(number) for number in self.standard_size)
            short = int(torch.randint(least, most + 1, ()))
        scaled = functional.resize(frame.permute(2, 0, 1), [short], antialias=True)
        ratio = _uniform(*self.aspect_ratio)
        height = min(scaled.shape[1], int(side / max(ratio, 1)))
        width = min(scaled.shape[2], int(side * min(ratio, 1)))
        top = int(torch.randint(scaled.shape[1] - height + 1, ()))
        left = int(torch.randint(scaled.shape[2] - width + 1, ()))
        cut: Tensor = scaled[:, top : top + height, left : left + width].permute(1, 2, 0)
        return cut

    def _mask(self, clip: Tensor) -> Tensor:
        """Lets a random box move, over a background that stands still at a random frame."""
        _, frames, height, width = clip.shape
        ratio = _uniform(*self.mask_size_ratio)
        rows, columns = int(height * ratio), int(width * ratio)
        top, left = int(torch.randint(height - rows + 1, ())), int(torch.randint(width - columns + 1, ()))
        still = clip[:, int(torch.randint(frames, ())), None].expand(-1, frames, -1, -1).clone()
        box = (..., slice(top, top + rows), slice(left, left + columns))
        still[box] = clip[box]
        return still


def _uniform(low: float, high: float) -> float:
    return low + (high - low) * torch.rand((), dtype=torch.float64).item()


def _speed_set(most: int, data_mode: str, decouple: bool, zero_out: bool) -> list[tuple[int, int]]:
    steps = range(-most, most + 1)
    if not decouple:
        return [(x, y) for x in steps for y in steps if not (zero_out and x == y == 0)]
    along_x = [(x, 0) for x in steps if x] if "x" in data_mode else []
    along_y = [(0, y) for y in steps if y] if "y" in data_mode else []
    return along_x + along_y + ([] if zero_out else [(0, 0)])
