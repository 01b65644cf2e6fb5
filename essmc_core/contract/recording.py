"""Whether a graph of a model is being recorded, while sizes may be tensors and must not select a branch."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn


def is_tracing() -> bool:
    """Returns whether `torch.jit.trace` is running, during which sizes are tensors."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined,no-untyped-call,unused-ignore]


def is_recorded() -> bool:
    """Returns whether tracing, export or compilation records a graph, which must be valid for other sizes too."""
    return is_tracing() or torch.compiler.is_compiling()


def export_for_any_batch(model: nn.Module, example: Tensor, free: Collection[int] = ()) -> torch.export.ExportedProgram:
    """Returns the program of a module that takes one batch of inputs, for batches of any size.

    Args:
        model: the module.
        example: a batch of inputs (N, …). A batch of one would become a constant, and is doubled.
        free: other dimensions of the input that may have any size.

    Raises:
        Exception: whatever `torch.export` raises of a module that it cannot record.
    """
    # Without an upper end, torch 2.7 finds that the batch must not be the largest integer, and refuses the model.
    sizes: Any = {0: torch.export.Dim("batch", min=1, max=2**31 - 1), **dict.fromkeys(free, torch.export.Dim.DYNAMIC)}
    first = next(iter(inspect.signature(model.forward).parameters.values()))
    # The argument of a starred parameter is a tuple.
    shapes = ((sizes,),) if first.kind is first.VAR_POSITIONAL else (sizes,)
    batch = example if len(example) > 1 else torch.cat([example, example])
    with torch.no_grad():
        return torch.export.export(model, (batch,), dynamic_shapes=shapes)
