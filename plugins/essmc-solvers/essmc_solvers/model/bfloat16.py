"""Training in bfloat16 on CPUs without the 3D convolutions whose gradients cannot be trusted there."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.contract.processors import table
from essmc_core.contract.processors.conditions import pads_time
from essmc_core.contract.processors.float32 import convolve_in_float32


@contextmanager
def exact_short_convolutions(model: nn.Module) -> Iterator[list[str]]:
    """Computes 3D convolutions of too short clips in float32 within a block.

    The row ``SHORT_CLIPS_IN_FLOAT32`` of `essmc_core.contract.processors.table` says when and why. Layers of classes
    that replace the forward pass of `torch.nn.Conv3d` are left to themselves.

    Args:
        model: whose layers to guard.

    Yields:
        Names of the guarded layers.
    """
    guarded = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv3d) and type(module).forward is nn.Conv3d.forward and pads_time(module)
    }
    for module in guarded.values():
        module.forward = functools.partial(_forward, module)  # type: ignore[method-assign]
    try:
        yield list(guarded)
    finally:
        for module in guarded.values():
            del module.forward


def guarded(model: nn.Module, device: torch.device, mixed_precision: str) -> AbstractContextManager[Any]:
    """Returns the context in which a model is trained: `exact_short_convolutions` for bfloat16 on a CPU, else nothing.

    Args:
        model: what is trained.
        device: where.
        mixed_precision: ``no``, ``fp16`` or ``bf16``.
    """
    lowered = mixed_precision == "bf16" or any(parameter.dtype == torch.bfloat16 for parameter in model.parameters())
    return exact_short_convolutions(model) if lowered and device.type == "cpu" else nullcontext()


def _forward(conv: nn.Conv3d, input: Tensor) -> Tensor:
    if table.SHORT_CLIPS_IN_FLOAT32.applies(conv, input):
        return convolve_in_float32(conv, input)
    return nn.Conv3d.forward(conv, input)
