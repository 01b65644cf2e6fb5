"""Training in bfloat16 on CPUs without the 3D convolutions whose gradients cannot be trusted there."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def exact_short_convolutions(model: nn.Module) -> Iterator[list[str]]:
    """Computes 3D convolutions of too short clips in float32 within a block.

    On CPUs, in bfloat16, with padding in time and fewer frames than the kernel is long, the gradient of the weight is
    garbage of any size up to infinity (seen in torch 2.14). Late stages of 3D networks get there on short clips. Layers
    of classes that replace the forward pass of `torch.nn.Conv3d` are left to themselves.

    Args:
        model: whose layers to guard.

    Yields:
        Names of the guarded layers.
    """
    guarded = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv3d) and type(module).forward is nn.Conv3d.forward and _pads_time(module)
    }
    for module in guarded.values():
        module.forward = functools.partial(_forward, module)  # type: ignore[method-assign]
    try:
        yield list(guarded)
    finally:
        for module in guarded.values():
            del module.forward


def uses_bfloat16(model: nn.Module, mixed_precision: str) -> bool:
    """Tells whether a model will compute in bfloat16."""
    return mixed_precision == "bf16" or any(parameter.dtype == torch.bfloat16 for parameter in model.parameters())


def _forward(conv: nn.Conv3d, input: Tensor) -> Tensor:
    reach = (conv.kernel_size[0] - 1) * conv.dilation[0] + 1
    if input.device.type == "cpu" and conv.weight.requires_grad and input.shape[-3] < reach:
        lowered = torch.is_autocast_enabled("cpu") or input.dtype == torch.bfloat16
        if lowered and torch.is_grad_enabled():
            with torch.autocast("cpu", enabled=False):
                bias = None if conv.bias is None else conv.bias.float()
                exact: Tensor = conv._conv_forward(input.float(), conv.weight.float(), bias)
                return exact.to(torch.bfloat16)
    return nn.Conv3d.forward(conv, input)


def _pads_time(conv: nn.Conv3d) -> bool:
    return conv.padding == "same" if isinstance(conv.padding, str) else conv.padding[0] != 0
