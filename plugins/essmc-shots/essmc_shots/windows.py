"""Windows that slide over the frames of a video, so that each frame is judged with frames around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

FRAMES = 100
"""Frames of a window, the length that TransNet V2 was trained on."""
CONTEXT = 25
"""Frames at either end of a window that are there for those in between, and are not judged."""

Frames = NDArray[np.uint8]


def windows_of(frames: Iterable[Frames]) -> Iterator[tuple[Frames, int]]:
    """Yields windows over frames, holding no more than one; the first and the last frame go on beyond the ends.

    Args:
        frames: each (H, W, 3), in order.

    Yields:
        A window (T, H, W, 3), and how many of its frames from `CONTEXT` on are to be judged: all windows together judge
        each frame once, in order.
    """
    held: list[Frames] = []
    for frame in frames:
        held += [frame] * (1 if held else CONTEXT + 1)
        if len(held) == FRAMES:
            yield np.stack(held), FRAMES - 2 * CONTEXT
            del held[: FRAMES - 2 * CONTEXT]
    while len(held) > CONTEXT:
        judged = min(len(held) - CONTEXT, FRAMES - 2 * CONTEXT)
        yield np.stack([*held, *[held[-1]] * (FRAMES - len(held))]), judged
        del held[:judged]
