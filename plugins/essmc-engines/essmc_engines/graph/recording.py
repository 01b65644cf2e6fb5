"""Records a model's test mode as a graph of PyTorch's own operations."""

from __future__ import annotations

import copy
import inspect
import warnings
from typing import Any

import torch
from torch import Tensor, fx, nn

from essmc_core.contract.recording import export_for_any_batch


def record(model: nn.Module, example: Tensor) -> fx.GraphModule:
    """Returns the graph of a model's test mode, with weights of its own, which takes any batch.

    Layers that choose among several ways to compute the same (`plain_forward`) are recorded in the plain way, so that
    a convolution is one operation of the graph.

    Args:
        model: in test mode; it is not changed.
        example: an input of the shape that is to be run, (N, …).

    Raises:
        Exception: whatever `torch.export` raises of a model that it cannot record.
    """
    plain = plain_copy(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _unguarded(export_for_any_batch(plain, example))


def plain_copy(model: nn.Module) -> nn.Module:
    """Returns a copy of a model whose layers compute the plain way, where they know several."""
    copied = copy.deepcopy(model).requires_grad_(False)
    for module in copied.modules():
        plain = getattr(module, "plain_forward", None)
        if plain is not None:
            module.forward = plain
    return copied


def _unguarded(program: torch.export.ExportedProgram) -> fx.GraphModule:
    # Guards compare shapes with those recorded at every call; whoever runs the graph has seen to that.
    make: Any = program.module
    graph: fx.GraphModule = make(check_guards=False) if "check_guards" in inspect.signature(make).parameters else make()
    return graph
