"""Shots, and how they follow from the probability that one ends at each frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Shot:
    """One shot of a video.

    Attributes:
        start: seconds at which its first frame begins to be shown.
        end: seconds at which its last frame ends.
        first_frame: number of its first frame.
        last_frame: number of its last frame, which is still part of it.
        transition: the highest probability among the frames of the transition to the next shot; None where the video
            ends.
    """

    start: float
    end: float
    first_frame: int
    last_frame: int
    transition: float | None = None

    def to_dict(self) -> dict[str, object]:
        """Returns the shot as plain values for JSON."""
        return asdict(self)


def shots_of(
    probabilities: Sequence[float] | NDArray[np.floating],
    threshold: float,
    times: Sequence[float] | NDArray[np.float64],
    duration: float,
) -> list[Shot]:
    """Cuts a video where the probability of a transition is above a threshold.

    Of a gradual transition the first frame belongs to the shot before it, and the rest to none. A video that is one
    transition from beginning to end is one shot.

    Args:
        probabilities: for each frame, that a transition happens there.
        threshold: above which it does.
        times: seconds at which each frame begins to be shown.
        duration: seconds at which the last one ends.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    moving = values > threshold
    if not len(values) or moving.all():
        return [Shot(0.0, duration, 0, len(values) - 1)] if len(values) else []
    ends = [*map(float, times[1:]), duration]
    edges = np.flatnonzero(np.diff(moving.astype(np.int8), prepend=1, append=1))
    shots = []
    for first, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        last, highest = stop - 1, None
        if stop < len(values):
            # The transition's first frame is the last that still shows the shot.
            last, following = stop, np.flatnonzero(~moving[stop:])
            highest = float(values[stop : stop + int(following[0]) if len(following) else None].max())
        shots.append(Shot(float(times[first]), ends[last], first, last, highest))
    return shots
