"""From a file to a model's input by the configuration's `input`: exactly as `essmc predict` does, or augmented."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from essmc_core.errors import ConfigError
from essmc_core.inputs import InputSpec
from essmc_core.inputs.clip import read_clips
from essmc_core.inputs.frames import Timeline, one_clip, random_clip
from essmc_core.inputs.image import in_layout
from essmc_core.inputs.picture import crop_and_scale, normalize, picture_to_tensor, picture_to_views
from essmc_data.arguments.rules import check_flip, check_part
from essmc_data.item import Item, path_of
from essmc_data.readers.pictures import read_picture
from essmc_data.readers.videos import open_video

if TYPE_CHECKING:
    from PIL.Image import Image

_SIDES = frozenset(
    {"left", "right", "leftward", "rightward", "leftwards", "rightwards", "clockwise", "counterclockwise"}
)
_FLIP = 0.5


class FromInput:
    """Reads a picture or a video, and makes of it what the model takes.

    This is what a data set has whose ``pipeline`` is left out. In evaluation, the tensor is the one that
    ``essmc predict`` computes of the same file: frames, size, interpolation and normalisation are those of ``input``.
    In training, frames are a random clip, and one part of random area and ratio is cut out of all of them, scaled, and
    mirrored at random, with the same interpolation and normalisation.

    ``meta.img_path`` becomes ``img``, or ``meta.video_path`` becomes ``video``, in the layout of ``input``.

    Args:
        input: what the model takes, as a configuration's ``input`` says; by default that of the configuration that
            the transform stands in.
        form: ``train`` or ``eval``; by default what ``meta.mode`` says, ``eval`` where it says nothing.
        flip: probability in [0, 1] of mirroring in training; by default 0.5, and 0 where the name of a class speaks of
            left, right or (counter)clockwise. Give 0 where mirroring changes the class in another way, as of letters.
        scale: range of the part's area over the picture's, in training. Wider ranges suit large data sets.
        ratio: range of the part's width over its height, in training.

    Raises:
        ConfigError: ``input`` cannot be used, or ``flip`` is no probability.
        UnreadableInput: the file is missing, damaged, or of another kind.
    """

    def __init__(
        self,
        input: dict[str, Any] | None = None,
        form: Literal["train", "eval"] | None = None,
        flip: float | None = None,
        scale: tuple[float, float] = (0.25, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
    ) -> None:
        check_flip(flip)
        check_part(scale, ratio)
        self.spec = None if input is None else InputSpec.from_mapping(input)
        self.form = form
        self.flip = flip
        self.scale, self.ratio = (scale[0], scale[1]), (ratio[0], ratio[1])

    def complete(self, spec: InputSpec | None, classes: Sequence[str] = ()) -> None:
        """Fills in what was left open.

        Args:
            spec: the configuration's ``input``.
            classes: names of the data set's classes.
        """
        if self.spec is None:
            self.spec = spec
        if self.flip is None:
            self.flip = 0.0 if has_sides(classes) else _FLIP

    def __call__(self, item: Item) -> Item:
        """Returns a new item."""
        if self.spec is None:
            raise ConfigError("FromInput does not know what the model takes.", hint="Give it `input`.")
        meta: Mapping[str, Any] = item.get("meta") or {}
        training = (self.form or meta.get("mode")) == "train"
        if self.spec.modality == "image":
            return {**item, "img": self._picture(path_of(item, "img_path"), self.spec, training)}
        return {**item, "video": self._clip(path_of(item, "video_path"), self.spec, meta, training)}

    def _picture(self, path: str, spec: InputSpec, training: bool) -> Tensor:
        picture = read_picture(path)
        made = self._augmentation(picture, spec)(picture) if training else picture_to_tensor(picture, spec)
        return in_layout(made, spec)

    def _clip(self, path: str, spec: InputSpec, meta: Mapping[str, Any], training: bool) -> Tensor:
        with open_video(path) as video:
            timeline = Timeline.of(video.times, video.duration)
            if training:
                chosen = random_clip(timeline, spec, lambda: torch.rand(()).item())
                return read_clips(video, [chosen], spec, self._alike(spec))[0]
            view, views = max(0, int(meta.get("clip_id") or 0)), int(meta.get("num_clips") or 1)
            part, parts = int(meta.get("crop_id") or 0), int(meta.get("num_crops") or 1)
            chosen = one_clip(timeline, spec, view, views)
            return read_clips(video, [chosen], spec, lambda frame: picture_to_views(frame, spec, parts, part))[0]

    def _alike(self, spec: InputSpec) -> Callable[[Image], Tensor]:
        """Returns what augments all frames of a clip as it drew for the first, whose size it has to know."""
        augment: Callable[[Image], Tensor] | None = None

        def prepare(frame: Image) -> Tensor:
            nonlocal augment
            augment = augment or self._augmentation(frame, spec)
            return augment(frame)[None]

        return prepare

    def _augmentation(self, picture: Image, spec: InputSpec) -> Callable[[Image], Tensor]:
        """Draws what is done to a picture, and to those that belong to it."""
        from PIL.Image import Transpose

        # It looks at the picture's size alone.
        # Importing torchvision takes as long as importing torch, and evaluation does without.
        from torchvision.transforms import RandomResizedCrop

        top, left, height, width = RandomResizedCrop.get_params(picture, list(self.scale), list(self.ratio))
        mirror = torch.rand(()).item() < (_FLIP if self.flip is None else self.flip)

        def augment(picture: Image) -> Tensor:
            part = crop_and_scale(picture, (left, top, left + width, top + height), spec)
            return normalize(part.transpose(Transpose.FLIP_LEFT_RIGHT) if mirror else part, spec)

        return augment


def has_sides(classes: Sequence[str]) -> bool:
    """Tells whether a mirrored picture may be of another class, by the words in the names of the classes."""
    return any(_SIDES.intersection(re.split(r"[^a-z]+", name.lower())) for name in classes)
