"""Refusal of clips that are too short or too small for a network."""

from __future__ import annotations

from torch import Tensor

from essmc_core.contract.recording import is_tracing
from essmc_core.errors import InputError


def check_least_size(video: Tensor, frames: int, side: int) -> None:
    """Checks the number of frames and of pixels.

    Args:
        video: clips (N, C, T, H, W).
        frames: least number of frames.
        side: least height and width.

    Raises:
        InputError: names what the backbone takes and what it got.
    """
    # While a model is traced, sizes are not numbers.
    if is_tracing():
        return
    if video.shape[2] < frames or min(video.shape[3:]) < side:
        raise InputError(
            f"expected clips of at least {frames} frames of at least {side}x{side} pixels, "
            f"got shape {tuple(video.shape)}",
            hint="layout is batch, channels, time, height, width",
        )
