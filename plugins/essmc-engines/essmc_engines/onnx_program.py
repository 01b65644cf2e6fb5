"""A model's inference form in ONNX, for the engines that run that."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from essmc_core.contract.recording import export_for_any_batch
from essmc_engines.folded import folded_graph

Keys: TypeAlias = "Sequence[str] | None"


def missing_packages(names: Sequence[str], extras: str) -> str:
    """Returns which package is not installed, with the line that installs it; empty if all are.

    Args:
        names: of the packages.
        extras: of this distribution, that bring them.
    """
    absent = [name for name in names if importlib.util.find_spec(name) is None]
    return f"{absent[0]} is not installed: pip install 'essmc-engines[{extras}]'" if absent else ""


def as_onnx(model: nn.Module, example: Tensor) -> tuple[bytes, Keys]:
    """Returns an ONNX file that takes any batch, and the names of its outputs, None for a single tensor.

    Args:
        model: in test mode.
        example: a batch of inputs.
    """
    import onnx  # type: ignore[import-not-found,import-untyped,unused-ignore]

    graph = folded_graph(model, example)
    with torch.no_grad():
        outputs = graph(example)
    keys = [str(key) for key in outputs] if isinstance(outputs, Mapping) else None
    file = io.BytesIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(export_for_any_batch(graph, example), (), dynamo=True, verbose=False)
    assert program is not None
    onnx.save(program.model_proto, file)
    return file.getvalue(), keys


def named(arrays: Sequence[NDArray[Any]], keys: Keys, device: torch.device) -> Tensor | Mapping[str, Tensor]:
    """Returns the outputs of an ONNX file as the model's test mode does."""
    found = [torch.from_numpy(array).to(device) for array in arrays]
    return found[0] if keys is None else dict(zip(keys, found, strict=True))
