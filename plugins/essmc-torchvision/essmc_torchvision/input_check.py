"""Refusal of tensors that are not what a backbone takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from essmc_core.errors import InputError


def check_input(
    inputs: Tensor,
    layout: str,
    in_chans: int,
    min_size: Sequence[int],
    fixed_size: Sequence[int] | None = None,
) -> None:
    """Checks rank, channels, number type and size.

    While a model is traced only the rank is known as a number, so only the rank is checked.

    Args:
        inputs: what the backbone was given.
        layout: ``NCHW`` or ``NCTHW``.
        in_chans: channels it takes.
        min_size: least ([T,] H, W).
        fixed_size: the only ([T,] H, W) it takes, where it was built for one.

    Raises:
        InputError: names what the backbone takes and what it got.
    """
    tracing = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call,unused-ignore]
    if inputs.ndim == len(layout) and (tracing or _fits(inputs, in_chans, min_size, fixed_size)):
        return
    raise InputError(
        f"expected floating-point {_expected(layout, in_chans, min_size, fixed_size)}, "
        f"got {inputs.dtype} of shape {tuple(inputs.shape)}",
        hint=_hint(inputs, layout, in_chans),
    )


def _fits(inputs: Tensor, in_chans: int, min_size: Sequence[int], fixed_size: Sequence[int] | None) -> bool:
    if inputs.shape[1] != in_chans or not inputs.is_floating_point():
        return False
    sizes = inputs.shape[2:]
    if fixed_size is not None:
        return tuple(sizes) == tuple(fixed_size)
    return all(size >= least for size, least in zip(sizes, min_size, strict=True))


def _expected(layout: str, in_chans: int, min_size: Sequence[int], fixed_size: Sequence[int] | None) -> str:
    what = "images" if layout == "NCHW" else "clips"
    if fixed_size is not None:
        return f"{what} of shape (N, {', '.join(map(str, (in_chans, *fixed_size)))})"
    least = ", ".join(f"{name} >= {size}" for name, size in zip(layout[2:], min_size, strict=True))
    return f"{what} of shape (N, {', '.join((str(in_chans), *layout[2:]))}) with {least}"


def _hint(inputs: Tensor, layout: str, in_chans: int) -> str:
    shape = inputs.shape
    if inputs.ndim == len(layout) - 1:
        return "add the batch: x.unsqueeze(0)" if shape[0] == in_chans else "add the missing dimension"
    if inputs.ndim != len(layout):
        return f"the layout is {layout}"
    if shape[1] != in_chans:
        if shape[-1] == in_chans:
            return f"channels come second: the layout is {layout}"
        if layout == "NCTHW" and shape[2] == in_chans:
            return "time comes after channels: x.transpose(1, 2)"
        return "build the backbone with in_chans equal to the input's channels"
    if not inputs.is_floating_point():
        return "scale pixels to floats first: x.float() / 255"
    return "scale, pad or sample the input to a size it takes"
