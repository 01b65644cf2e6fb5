"""Which frames of a video make up its clips: the one rule of `predict`, evaluation and training.

A clip begins at some place between the beginning of the video and the last moment from which it still fits in: the
middle for a lone clip, from the first to the last such moment for several, any in training. From there, with
``sampling: stride``, frames follow each other

- ``stride`` frames of the file apart, or,
- where ``fps`` or ``seconds`` is stated, ``stride / fps`` or ``seconds / frames`` seconds apart, whatever the file's
  rate: those that are on the screen at such moments, counted from half a frame after the first one begins.

Where the video is too short the clip begins with it and its last frame is repeated. With ``sampling: segment`` the
video is cut into as many equally long segments as the clip has frames, and one frame of each is taken: the middle one,
for several clips the middles of equal parts, in training any.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from essmc_core.errors import ConfigError
from essmc_core.inputs.spec import InputSpec

_TOLERANCE = 1e-3
"""Share of a frame by which products of seconds and rates may be off."""
_EVEN = 1e-6
"""Seconds by which sums of times may be off."""

_USUAL_FRAME = 1 / 25


@dataclass(frozen=True, slots=True)
class Timeline:
    """When the frames of a video, or of a part of it, are shown.

    Attributes:
        times: (frames,) seconds at which each begins to be shown: the first at 0, rising.
        duration: seconds at which the last one ends.
        rate: frames per second where all are shown equally long, else None.
    """

    times: NDArray[np.float64]
    duration: float
    rate: float | None

    @classmethod
    def of(cls, times: Sequence[float] | NDArray[np.float64], duration: float) -> Timeline:
        """Returns the timeline of frames that begin to be shown at some times, the last of which ends at another.

        A last frame that would end before it begins is shown as long as the others on average.

        Raises:
            ValueError: there is no frame.
        """
        shown = np.asarray(times, dtype=np.float64)
        if not len(shown):
            raise ValueError("a video has at least one frame")
        if not duration > shown[-1]:
            duration = float(shown[-1]) + (float(shown[-1]) / (len(shown) - 1) if shown[-1] > 0 else _USUAL_FRAME)
        rate = len(shown) / duration
        even = np.abs(shown - np.arange(len(shown)) / rate).max() <= _EVEN
        return cls(shown, float(duration), rate if even else None)

    @classmethod
    def even(cls, frames: int, rate: float = 1.0) -> Timeline:
        """Returns the timeline of a number of frames that are shown equally long, ``rate`` of them per second."""
        return cls(np.arange(frames, dtype=np.float64) / rate, frames / rate, rate)

    def __len__(self) -> int:
        return len(self.times)

    def part(self, first: int, stop: int) -> Timeline:
        """Returns the timeline of the frames from ``first`` on and before ``stop``, as if they were a whole video."""
        end = self.duration if stop >= len(self) else float(self.times[stop])
        begin = float(self.times[first])
        return Timeline(self.times[first:stop] - begin, end - begin, self.rate)

    def shown_at(self, seconds: float) -> int:
        """Returns the frame that is on the screen at a moment; the first before, and the last after the video."""
        if self.rate is not None:
            found = math.floor(seconds * self.rate + _TOLERANCE)
        else:
            found = int(np.searchsorted(self.times, seconds + _EVEN, side="right")) - 1
        return min(max(found, 0), len(self) - 1)

    def as_if_even(self, indices: Iterable[int]) -> list[int]:
        """Returns the frames shown when those of a video just as long, of as many frames shown equally long, are.

        For rules that count in frames: their clips last as long as if the rate did not vary.
        """
        if self.rate is not None:
            return list(indices)
        return [self.shown_at((index + 0.5) * self.duration / len(self)) for index in indices]

    def at_share(self, share: Fraction) -> int:
        """Returns the frame that is on the screen after a share of the video in [0, 1)."""
        if self.rate is not None:
            return min(math.floor(share * len(self)), len(self) - 1)
        return self.shown_at(float(share) * self.duration)


def clips_of(timeline: Timeline, spec: InputSpec, views: int = 1) -> list[tuple[int, ...]]:
    """Chooses the frames of one or several clips, as evaluation sees them; each in rising order.

    Args:
        timeline: of the video.
        spec: of modality video.
        views: how many clips: one is the central one, several are spread over the video.
    """
    return [one_clip(timeline, spec, view, views) for view in range(views)]


def one_clip(timeline: Timeline, spec: InputSpec, view: int, views: int) -> tuple[int, ...]:
    """Chooses the frames of one of several clips, see `clips_of`.

    Args:
        timeline: of the video.
        spec: of modality video.
        view: which clip.
        views: of how many.
    """
    if spec.sampling == "segment":
        inside = Fraction(2 * view + 1, 2 * views)
        return _segment_clip(timeline, spec, lambda: inside)
    place = Fraction(1, 2) if views == 1 else Fraction(view, views - 1)
    return _strided_clip(
        timeline, spec, lambda starts: math.floor(place * (starts - 1)), lambda last: float(place) * last
    )


def random_clip(timeline: Timeline, spec: InputSpec, draw: Callable[[], float]) -> tuple[int, ...]:
    """Chooses the frames of a random clip, as training sees them; in rising order.

    Args:
        timeline: of the video.
        spec: of modality video.
        draw: gives a random number in [0, 1) at each call.
    """
    if spec.sampling == "segment":
        return _segment_clip(timeline, spec, lambda: Fraction(draw()))
    # As long as the last frame it can begin with is shown, too, it can begin.
    frame = timeline.duration / len(timeline)
    return _strided_clip(
        timeline,
        spec,
        lambda starts: min(int(draw() * starts), starts - 1),
        lambda last: min(draw() * (last + frame), last),
    )


def _segment_clip(timeline: Timeline, spec: InputSpec, inside: Callable[[], Fraction]) -> tuple[int, ...]:
    count = spec.frames or 1
    return tuple(timeline.at_share((segment + inside()) / count) for segment in range(count))


def _strided_clip(
    timeline: Timeline, spec: InputSpec, start_of: Callable[[int], int], moment_of: Callable[[float], float]
) -> tuple[int, ...]:
    """Returns a clip that begins with frame ``start_of`` so many, or at the moment ``moment_of`` the last one."""
    count, total, step = spec.frames or 1, len(timeline), spec.seconds_between
    if step is None:
        stride = spec.stride or 1
        start = start_of(max(1, total - (count - 1) * stride))
        return tuple(min(start + number * stride, total - 1) for number in range(count))
    last_start = max(0.0, float(timeline.times[-1]) - (count - 1) * step)
    start = timeline.shown_at(moment_of(last_start))
    # Within the frame, so that a rate of 29.97 for 30 does not show the frame before.
    ends = timeline.times[start + 1] if start + 1 < total else timeline.duration
    moment = float(timeline.times[start]) + min(float(ends - timeline.times[start]), timeline.duration / total) / 2
    return (start, *(max(start, timeline.shown_at(moment + number * step)) for number in range(1, count)))


def clip_indices(total: int, spec: InputSpec) -> tuple[int, ...]:
    """Chooses ``spec.frames`` of ``total`` frames that are shown equally long, in rising order; see `clips_of`.

    Args:
        total: frames in the video, at least 1.
        spec: of modality video, with a stride in frames of the file.

    Raises:
        ConfigError: the specification counts in seconds.
    """
    return view_indices(total, spec, 1)[0]


def view_indices(total: int, spec: InputSpec, views: int) -> list[tuple[int, ...]]:
    """Chooses the frames of several clips, each as `clip_indices` does; one is the central clip.

    With sampling ``"stride"`` they are spread from the first frame of the video to its last; with ``"segment"`` they
    are the middles of equal parts of each segment.

    Args:
        total: frames in the video, at least 1.
        spec: of modality video, with a stride in frames of the file.
        views: how many clips.

    Raises:
        ConfigError: the specification counts in seconds.
    """
    if spec.seconds_between is not None:
        raise ConfigError("An input with `fps` or `seconds` needs the times of the frames.", hint="Use clips_of.")
    return clips_of(Timeline.even(total), spec, views)
