"""Whether a graph of a model is being recorded, when sizes are not numbers or must not decide the way taken."""

from __future__ import annotations

import torch


def is_tracing() -> bool:
    """Tells whether `torch.jit.trace` runs, during which sizes are tensors."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined,no-untyped-call,unused-ignore]


def is_recorded() -> bool:
    """Tells whether a trace, an export or a compilation records a graph, which must hold for sizes other than these."""
    return is_tracing() or torch.compiler.is_compiling()
