"""Which frames belong to a span of seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_TOLERANCE = 1e-3
"""Share of a frame by which times such as 0.1 s * 30 fps may be off."""


def frames_within(
    times: NDArray[np.float64] | Sequence[float], duration: float, start: float, end: float
) -> tuple[int, int]:
    """Returns the first and the last frame that are on the screen at some moment of [``start``, ``end``).

    Args:
        times: seconds at which each frame begins to be shown, rising.
        duration: seconds at which the last one ends.
        start: beginning of the span, cut at 0.
        end: end of the span, cut at ``duration``.

    Raises:
        ValueError: the span is empty, or begins where the video has ended.
    """
    shown = np.asarray(times, dtype=np.float64)
    begin, stop = max(0.0, start), min(end, duration)
    if not (start < end and begin < stop):
        raise ValueError(f"no frame is shown between {start:g} s and {end:g} s of a video of {duration:.3f} s")
    slack = _TOLERANCE * duration / len(shown)
    first = max(int(np.searchsorted(shown, begin + slack, side="right")) - 1, 0)
    last = int(np.searchsorted(shown, stop - slack, side="left")) - 1
    return first, max(first, last)


def frames_beginning_within(
    times: NDArray[np.float64] | Sequence[float], duration: float, start: float, end: float
) -> tuple[int, int]:
    """Returns the first frame that begins in [``start``, ``end``), and the one after the last.

    Spans that follow each other divide the frames among them, each frame into one; a span in which no frame begins
    gets none.

    Args:
        times: seconds at which each frame begins to be shown, rising.
        duration: seconds at which the last one ends.
        start: beginning of the span.
        end: end of the span.
    """
    shown = np.asarray(times, dtype=np.float64)
    slack = _TOLERANCE * duration / len(shown)
    first, stop = np.searchsorted(shown, [start - slack, end - slack], side="left")
    return int(first), int(stop)
