"""The frames of clips: as one batch of images and back, their means, and scales of their channels."""

from __future__ import annotations

import torch
from torch import Tensor

from essmc_core.contract.processors import table


def to_images(clips: Tensor) -> Tensor:
    """Maps clips (N, C, T, H, W) to the batch of their frames (N * T, C, H, W); channels last, that takes no copy."""
    return clips.transpose(1, 2).flatten(0, 1)


def to_clips(images: Tensor, length: int) -> Tensor:
    """Maps a batch of frames (N * T, C, H, W) to a view of it as clips (N, C, T, H, W).

    Args:
        images: the frames of a clip follow each other.
        length: T.
    """
    return torch.unflatten(images, 0, (-1, length)).transpose(1, 2)


@table.MEANS_FRAME_BY_FRAME.taken_by
def spatial_means(clips: Tensor) -> Tensor:
    """Maps clips (N, C, T, H, W) to the means of each frame, (N, C, T, 1, 1)."""
    frames = clips.transpose(1, 2)
    if table.MEANS_FROM_SUMS.applies(clips):
        means = frames.sum(dim=(3, 4), keepdim=True) / (clips.shape[3] * clips.shape[4])
    else:
        means = frames.mean(dim=(3, 4), keepdim=True)
    return means.transpose(1, 2)


@table.SCALES_FRAME_BY_FRAME.taken_by
def scale_frames(clips: Tensor, scales: Tensor) -> Tensor:
    """Multiplies the channels of each frame.

    Args:
        clips: (N, C, T, H, W).
        scales: five dimensions that broadcast to ``clips``, say (N, C, T, 1, 1).

    Returns:
        ``clips * scales``, in the memory format of ``clips``.
    """
    frame_by_frame = scales.transpose(1, 2).contiguous()
    return (clips.transpose(1, 2) * frame_by_frame).transpose(1, 2)
