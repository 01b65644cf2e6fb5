"""Whether a graph of a model is being recorded, while sizes may be tensors and must not select a branch."""

from __future__ import annotations

import torch


def is_tracing() -> bool:
    """Returns whether `torch.jit.trace` is running, during which sizes are tensors."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined,no-untyped-call,unused-ignore]


def is_recorded() -> bool:
    """Returns whether tracing, export or compilation records a graph, which must be valid for other sizes too."""
    return is_tracing() or torch.compiler.is_compiling()
