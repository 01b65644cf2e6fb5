"""Checks that a tensor is a batch of the images or clips that a network takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from essmc_core.contract.recording import is_tracing
from essmc_core.errors import InputError


def check_input(
    inputs: Tensor,
    layout: str,
    in_chans: int,
    *,
    min_size: Sequence[int] | None = None,
    fixed_size: Sequence[int] | None = None,
) -> None:
    """Checks rank, channels, dtype and size.

    While a model is traced, sizes are tensors, so only the rank is checked.

    Args:
        inputs: what the network was given.
        layout: ``NCHW`` for images or ``NCTHW`` for clips.
        in_chans: channels it takes.
        min_size: least ([T,] H, W); 1 each by default.
        fixed_size: the only ([T,] H, W) it takes, where it was built for one.

    Raises:
        InputError: the tensor does not fit; the message states what the network takes and what it was given.
    """
    least = (1,) * (len(layout) - 2) if min_size is None else tuple(min_size)
    if not isinstance(inputs, Tensor):
        raise InputError(
            f"expected floating-point {_expected(layout, in_chans, least, fixed_size)}, got a {type(inputs).__name__}",
            hint="torch.as_tensor makes a tensor of an array or of nested lists",
        )
    if inputs.ndim == len(layout) and (is_tracing() or _fits(inputs, in_chans, least, fixed_size)):
        return
    raise InputError(
        f"expected floating-point {_expected(layout, in_chans, least, fixed_size)}, "
        f"got {inputs.dtype} of shape {tuple(inputs.shape)}",
        hint=_hint(inputs, layout, in_chans),
    )


def check_number_type(inputs: Tensor, weights: torch.dtype, network: str) -> None:
    """Checks that an input has the dtype of the weights; under autocast any dtype is accepted.

    Args:
        inputs: what the network was given.
        weights: dtype of the weights.
        network: what to call it in the message.

    Raises:
        InputError: the dtypes differ.
    """
    if inputs.dtype == weights or torch.is_autocast_enabled(inputs.device.type):
        return
    raise InputError(f"{network} computes in {weights} and got {inputs.dtype}", hint=f"give it x.to({weights})")


def check_backbone_input(
    inputs: Tensor,
    backbone: nn.Module,
    layout: str,
    in_chans: int,
    *,
    name: str | None = None,
    min_size: Sequence[int] | None = None,
    fixed_size: Sequence[int] | None = None,
) -> None:
    """Checks all that a backbone asks of its input: rank, channels, size, and the number type of its weights.

    Args:
        inputs: what the backbone was given.
        backbone: whose first parameter has the number type it computes in.
        layout: ``NCHW`` for images or ``NCTHW`` for clips.
        in_chans: channels it takes.
        name: what to call it in a message; its class by default.
        min_size: least ([T,] H, W); 1 each by default.
        fixed_size: the only ([T,] H, W) it takes, where it was built for one.

    Raises:
        InputError: names what the backbone takes and what it got.
    """
    check_input(inputs, layout, in_chans, min_size=min_size, fixed_size=fixed_size)
    check_number_type(inputs, next(backbone.parameters()).dtype, name or type(backbone).__name__)


def _fits(inputs: Tensor, in_chans: int, least: Sequence[int], fixed_size: Sequence[int] | None) -> bool:
    if inputs.shape[1] != in_chans or not inputs.is_floating_point():
        return False
    sizes = inputs.shape[2:]
    if fixed_size is not None:
        return tuple(sizes) == tuple(fixed_size)
    return all(sizes[axis] >= size for axis, size in enumerate(least))


def _expected(layout: str, in_chans: int, least: Sequence[int], fixed_size: Sequence[int] | None) -> str:
    what = "images" if layout == "NCHW" else "clips"
    sizes = layout[2:] if fixed_size is None else fixed_size
    limits = [f"{axis} >= {size}" for axis, size in zip(layout[2:], least, strict=True) if size > 1]
    limited = f" with {', '.join(limits)}" if limits and fixed_size is None else ""
    return f"{what} of shape ({', '.join(map(str, ('N', in_chans, *sizes)))}){limited}"


def _hint(inputs: Tensor, layout: str, in_chans: int) -> str:
    shape = inputs.shape
    if inputs.ndim == len(layout) - 1:
        return "add the batch: x.unsqueeze(0)" if shape[0] == in_chans else f"the layout is {layout}: one is missing"
    if inputs.ndim != len(layout):
        return f"the layout is {layout}"
    if shape[1] != in_chans:
        return _channel_hint(inputs, layout, in_chans)
    if not inputs.is_floating_point():
        return "scale pixels to floats first: x.float() / 255"
    if 0 in shape[2:]:
        return f"each of {', '.join(layout[2:])} must be at least 1"
    return "scale, pad or sample the input to a size it takes"


def _channel_hint(inputs: Tensor, layout: str, in_chans: int) -> str:
    if layout == "NCTHW" and inputs.shape[2] == in_chans:
        return "time comes after channels: x.transpose(1, 2)"
    if inputs.shape[-1] == in_chans:
        order = ", ".join(map(str, range(1, len(layout) - 1)))
        return f"channels come second: x.permute(0, {len(layout) - 1}, {order})"
    return "build the network with in_chans equal to the number of input channels"
