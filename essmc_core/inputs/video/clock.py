"""When frames are shown, in seconds: from their own times, not from rates that headers claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from essmc_core.inputs.video.frame_table import FrameTable

HIGHEST_RATE = 1000
"""Frames per second; more is a time base that was taken for a rate."""
_USUAL_RATE = Fraction(25)


@dataclass(frozen=True, slots=True)
class Clock:
    """The times of a video.

    Attributes:
        times: (frames,) seconds at which each frame begins to be shown: the first at 0, rising.
        duration: seconds at which the last one ends.
        fps: frames per second on average.
    """

    times: NDArray[np.float64]
    duration: float
    fps: float


def clock_of(table: FrameTable, time_base: Fraction | None, rates: Sequence[Fraction | None]) -> Clock:
    """Reads the times of a table with at least one frame.

    Args:
        table: the frames.
        time_base: seconds of a unit of the table's times.
        rates: what the file claims, the likeliest first.
    """
    plausible = [Fraction(rate) for rate in rates if rate and 0 < rate <= HIGHEST_RATE]
    if table.pts is None or not time_base:
        return _even(table.frames, (plausible or [_USUAL_RATE])[0])
    ticks = table.pts - table.pts[0]
    for rate in plausible:
        if _is_even(ticks, 1 / (rate * time_base)):
            return _even(table.frames, rate)
    if table.frames == 1:
        lasting = float(table.durations[0] * time_base)
        return Clock(np.zeros(1), lasting, 1 / lasting) if lasting * HIGHEST_RATE >= 1 else _even(1, _USUAL_RATE)
    times = ticks * float(time_base)
    duration = float(times[-1]) + _last(ticks, table.durations) * float(time_base)
    return Clock(times, duration, table.frames / duration)


def _even(frames: int, rate: Fraction) -> Clock:
    times = np.arange(frames, dtype=np.float64) * rate.denominator / rate.numerator
    return Clock(times, float(frames / rate), float(rate))


def _is_even(ticks: NDArray[np.int64], interval: Fraction) -> bool:
    """Tells whether frames are as far apart as the rate says, but for the rounding of the container's clock."""
    exact = np.arange(len(ticks)) * float(interval)
    return bool((np.abs(ticks - exact) <= min(1.001, 0.1 * float(interval))).all())


def _last(ticks: NDArray[np.int64], durations: NDArray[np.int64]) -> float:
    """Returns how long the last frame is shown: what it says, if the others are shown as long as they say."""
    intervals = np.diff(ticks)
    agree = np.abs(durations[:-1] - intervals) <= np.maximum(1, intervals // 10)
    if durations[-1] > 0 and agree.mean() > 0.5:
        return float(durations[-1])
    return float(np.median(intervals))
