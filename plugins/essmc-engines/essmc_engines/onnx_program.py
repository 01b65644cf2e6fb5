"""A model's inference form in ONNX."""

from __future__ import annotations

import contextlib
import inspect
import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from essmc_engines.folded import folded_graph


def as_onnx(model: nn.Module, example: Tensor) -> tuple[Any, Sequence[str] | None]:
    """Returns an ONNX program that takes any batch, and the names of its outputs, None for a single tensor.

    Args:
        model: in test mode.
        example: a batch of inputs.
    """
    graph = folded_graph(model, example)
    with torch.no_grad():
        outputs = graph(example)
    keys = [str(key) for key in outputs] if isinstance(outputs, Mapping) else None
    batch = example if len(example) > 1 else torch.cat([example, example])
    size: Any = {0: torch.export.Dim("batch", min=1, max=2**31 - 1)}
    first = next(iter(inspect.signature(graph.forward).parameters.values()))
    shapes = ((size,),) if first.kind is first.VAR_POSITIONAL else (size,)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(graph, (batch,), dynamic_shapes=shapes)
        return torch.onnx.export(program, (), dynamo=True, verbose=False), keys
