"""Frames, height and width of clips as numbers, while a model is traced too."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from essmc_core.contract.recording import is_tracing


def clip_sizes(video: Tensor) -> tuple[int, int, int]:
    """Returns frames, height and width of clips (N, C, T, H, W) as numbers.

    A trace by `torch.jit.trace` is for the size of its example, so that PyTorch's warning about it is no news.
    """
    if is_tracing():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined,unused-ignore]
            return int(video.shape[2]), int(video.shape[3]), int(video.shape[4])
    return video.shape[2], video.shape[3], video.shape[4]
