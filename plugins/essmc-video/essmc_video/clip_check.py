"""Refusal of tensors that are not the clips a backbone takes."""

from __future__ import annotations

import torch
from torch import Tensor

from essmc_core.errors import InputError


def check_clip(video: Tensor, in_chans: int) -> None:
    """Checks rank, channels, emptiness and number type of a clip.

    While a model is traced only the rank is known as a number, so only the rank is checked.

    Raises:
        InputError: names what the backbone takes and what it got.
    """
    tracing = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call,unused-ignore]
    if video.ndim == 5 and (tracing or _fits(video, in_chans)):
        return
    raise InputError(
        f"expected floating-point clips of shape (N, {in_chans}, T, H, W) with T, H and W of at least 1, "
        f"got {video.dtype} of shape {tuple(video.shape)}",
        hint=_hint(video, in_chans),
    )


def _fits(video: Tensor, in_chans: int) -> bool:
    return video.shape[1] == in_chans and min(video.shape[2:]) > 0 and video.is_floating_point()


def _hint(video: Tensor, in_chans: int) -> str:
    if video.ndim == 4:
        return "add the batch: video.unsqueeze(0)" if video.shape[0] == in_chans else "add the missing dimension"
    if video.ndim == 5 and video.shape[1] != in_chans:
        if video.shape[2] == in_chans:
            return "time comes after channels: video.transpose(1, 2)"
        if video.shape[4] == in_chans:
            return "channels come second: video.permute(0, 4, 1, 2, 3)"
        return "build the backbone for as many input channels as the clips have"
    if not video.is_floating_point():
        return "scale pixels to floats first: video.float() / 255"
    return "layout is batch, channels, time, height, width"
