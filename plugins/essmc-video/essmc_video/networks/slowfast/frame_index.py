"""Which frames of a clip the slow path sees."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import Tensor

from essmc_core.errors import InputError

SlowIndex = Literal["linspace", "stride"]


def slow_frames(num_frames: int, alpha: int, rule: SlowIndex) -> list[int]:
    """Returns the indices of the slow path's frames.

    Args:
        num_frames: frames of the clip, a multiple of ``alpha``.
        alpha: frames of the fast path per frame of the slow one.
        rule: ``stride`` takes the first of every ``alpha`` frames; ``linspace`` spreads as many evenly from the first
            frame to the last, rounded down.

    Raises:
        InputError: the clip has no whole number of slow frames.
    """
    if num_frames < alpha or num_frames % alpha:
        raise InputError(
            f"SlowFast takes clips whose number of frames is a multiple of its alpha {alpha}, got {num_frames}",
            hint=f"give {max(alpha, num_frames - num_frames % alpha)} frames",
        )
    count = num_frames // alpha
    if rule == "stride" or count == 1:
        return [index * alpha for index in range(count)]
    return [index * (num_frames - 1) // (count - 1) for index in range(count)]


def take_frames(video: Tensor, indices: list[int]) -> Tensor:
    """Returns a clip (N, C, len(indices), H, W) of those frames."""
    steps = {second - first for first, second in pairwise(indices)}
    if len(steps) < 2:
        return video[:, :, indices[0] : indices[-1] + 1 : max(steps, default=1)]
    return video[:, :, indices]
