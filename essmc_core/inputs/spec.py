"""What a model takes: the `input` mapping of a zoo entry, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Literal

from essmc_core.errors import ConfigError
from essmc_core.foundation.names import did_you_mean

Modality = Literal["image", "video"]
Sampling = Literal["stride", "segment"]

LAYOUTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"image": ("NCHW", "NHWC"), "video": ("NCTHW", "NTCHW", "NTHWC")}
)
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
MAX_PIXELS = 1 << 28
"""Pixels of one input, in all its frames."""
MAX_VIEWS = 10_000
"""Views of one video; published evaluations average over at most some dozens."""
SAMPLINGS = ("stride", "segment")
_ALWAYS = ("modality", "size", "mean", "std")
_TIME = ("frames", "stride", "fps", "seconds")


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How to turn a file into a model's input.

    Attributes:
        modality: ``"image"`` or ``"video"``.
        layout: order of the dimensions: NCHW or NHWC for images, NCTHW, NTCHW or NTHWC for videos.
        size: (height, width) of the crop.
        mean: per channel, on RGB in [0, 1].
        std: per channel, on RGB in [0, 1].
        frames: frames in a clip; None for images.
        stride: distance between neighbouring frames of a clip, in frames; None where it is not used.
        fps: frames per second of the video that ``stride`` counts in, whatever the file's rate is, so that every clip
            spans the same time; None counts frames of the file.
        seconds: in place of ``stride``, how long a clip is: its frames are ``seconds / frames`` apart.
        crop_pct: crop size over the size that the picture is scaled to, in (0, 1].
        interpolation: one of `INTERPOLATIONS`, as PIL defines them.
        sampling: ``"stride"``: ``frames`` frames, ``stride`` apart, in the middle of the video; ``"segment"``: the
            middle frame of each of ``frames`` equal segments. `essmc_core.inputs.frames` has the whole rule.
        views: number of ``temporal`` and ``spatial`` views that a full evaluation averages over.
    """

    modality: Modality
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layout: str = ""
    frames: int | None = None
    stride: int | None = None
    fps: float | None = None
    seconds: float | None = None
    crop_pct: float = 0.875
    interpolation: str = "bilinear"
    sampling: Sampling = "stride"
    views: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        if self.modality not in LAYOUTS:
            raise _unusable("modality", self.modality, f"choose from {', '.join(LAYOUTS)}")
        if not self.layout:
            object.__setattr__(self, "layout", LAYOUTS[self.modality][0])
        _check_choice("layout", self.layout, LAYOUTS[self.modality])
        _check_choice("interpolation", self.interpolation, INTERPOLATIONS)
        _check_choice("sampling", self.sampling, SAMPLINGS)
        if len(self.size) != 2 or not all(_is_count(side) for side in self.size):
            raise _unusable("size", self.size, "give [height, width] in pixels")
        if len(self.mean) != 3 or len(self.std) != 3 or not all(value > 0 for value in self.std):
            raise _unusable("mean, std", (self.mean, self.std), "give three numbers each, with std above 0")
        if not all(map(math.isfinite, (*self.mean, *self.std))):
            raise _unusable("mean, std", (self.mean, self.std), "give finite numbers")
        if not 0 < self.crop_pct <= 1:
            raise _unusable("crop_pct", self.crop_pct, "give a number in (0, 1]")
        if self.views is not None and not (
            set(self.views) <= {"temporal", "spatial"} and all(map(_is_count, self.views.values()))
        ):
            raise _unusable("views", self.views, "give {temporal: count, spatial: count}")
        if math.prod((self.views or {}).values()) > MAX_VIEWS:
            raise _unusable("views", self.views, f"give at most {MAX_VIEWS:,} in all")
        self._check_time()
        height, width = self.size
        if height * width * (self.frames or 1) > MAX_PIXELS:
            raise ConfigError(
                f"An input of {self.frames or 1} frames of {height}x{width} pixels is too large.",
                hint=f"The limit is {MAX_PIXELS:,} pixels.",
            )

    def _check_time(self) -> None:
        if self.modality == "image":
            if stated := [key for key in _TIME if getattr(self, key) is not None]:
                listed = ", ".join(map(repr, stated))
                raise ConfigError(f"An input of modality 'image' has no {listed}.")
            return
        if self.frames is None:
            raise ConfigError("The input of modality 'video' lacks 'frames'.")
        if not _is_count(self.frames) or not (self.stride is None or _is_count(self.stride)):
            raise _unusable("frames, stride", (self.frames, self.stride), "give positive whole numbers")
        for key in ("fps", "seconds"):
            if getattr(self, key) is not None and not _is_positive(getattr(self, key)):
                raise _unusable(key, getattr(self, key), "give a number above 0")
        if self.sampling == "stride":
            self._check_stride()
        elif self.seconds is not None:
            raise ConfigError(
                "The input's 'seconds' are for sampling: stride, and it has sampling: segment.",
                hint="Segments are of the whole video; leave 'seconds' out.",
            )

    def _check_stride(self) -> None:
        if self.stride is None and self.seconds is None:
            raise ConfigError(
                "The input of modality 'video' lacks 'stride', or 'seconds' in its place.",
                hint="Or set sampling: segment.",
            )
        if self.seconds is not None and (self.stride is not None or self.fps is not None):
            raise ConfigError(
                "The input has 'seconds', and 'stride' or 'fps' as well.",
                hint="Frames are seconds / frames apart, or stride / fps; set the others to null.",
            )

    @property
    def seconds_between(self) -> float | None:
        """Seconds from one frame of a clip to the next, None where `sampling` or ``stride`` does not count in them."""
        if self.sampling != "stride":
            return None
        if self.seconds is not None:
            return self.seconds / (self.frames or 1)
        return None if self.fps is None or self.stride is None else self.stride / self.fps

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> InputSpec:
        """Reads the ``input`` mapping of a zoo entry.

        ``size`` may be one number for a square.

        Raises:
            ConfigError: unknown or missing keys, or values that cannot be used.
        """
        known = [field.name for field in fields(cls)]
        for key in mapping:
            if key not in known:
                hint = did_you_mean(str(key), known) or f"Known keys: {', '.join(known)}."
                raise ConfigError(f"Unknown key {key!r} in the input.", hint=hint)
        if missing := [key for key in _ALWAYS if mapping.get(key) is None]:
            raise ConfigError(f"The input lacks {', '.join(map(repr, missing))}.")
        values = {key: value for key, value in mapping.items() if value is not None}
        size = values["size"]
        values["size"] = (size, size) if isinstance(size, int) else _numbers("size", size)
        values["mean"] = tuple(map(float, _numbers("mean", values["mean"])))
        values["std"] = tuple(map(float, _numbers("std", values["std"])))
        if not isinstance(values.get("crop_pct", 1.0), (int, float)):
            raise _unusable("crop_pct", values["crop_pct"], "give a number in (0, 1]")
        return cls(**values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the input without the batch dimension, in the order of ``layout``."""
        sizes = {"C": 3, "T": self.frames or 0, "H": self.size[0], "W": self.size[1]}
        return tuple(sizes[dimension] for dimension in self.layout[1:])

    def __str__(self) -> str:
        height, width = self.size
        if self.modality == "image":
            return f"an RGB image, scaled and cropped to {height}x{width}"
        return f"a video, of which it sees {self.frames} frames scaled and cropped to {height}x{width}"


def _numbers(key: str, value: object) -> tuple[Any, ...]:
    if isinstance(value, Sequence) and all(isinstance(number, (int, float)) for number in value):
        return tuple(value)
    raise _unusable(key, value, "give a list of numbers")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")


def _check_choice(key: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise _unusable(key, value, f"choose from {', '.join(choices)}")


def _unusable(key: str, value: object, hint: str) -> ConfigError:
    return ConfigError(f"The input's {key} is {value!r}.", hint=f"{hint[0].upper()}{hint[1:]}.")
