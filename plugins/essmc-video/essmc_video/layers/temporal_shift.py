"""The temporal shift of TSM."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def temporal_shift(frames: Tensor, length: int, shift_div: int) -> Tensor:
    """Moves some channels of every frame to its neighbours.

    Lin et al., "TSM: Temporal Shift Module for Efficient Video Understanding", ICCV 2019: the first C // shift_div
    channels come from the next frame, as many after them from the one before, the others stay. Beyond the ends of a
    clip there are zeros. A clip of one frame has no neighbours and stays as it is.

    Args:
        frames: (N * length, C, ...), clip after clip.
        length: frames per clip.
        shift_div: channels over those that move either way.

    Returns:
        A tensor of the same shape.
    """
    if length == 1:
        return frames
    clips = torch.unflatten(frames, 0, (-1, length))
    fold = clips.shape[2] // shift_div
    no_padding = [0, 0] * (clips.ndim - 2)
    ahead = functional.pad(clips[:, 1:, :fold], [*no_padding, 0, 1])
    back = functional.pad(clips[:, :-1, fold : 2 * fold], [*no_padding, 1, 0])
    return torch.cat([ahead, back, clips[:, :, 2 * fold :]], dim=2).flatten(0, 1)
