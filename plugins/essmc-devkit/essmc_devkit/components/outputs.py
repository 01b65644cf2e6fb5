"""Compares what two runs of a component returned: tensors, alone or in lists and mappings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor


def difference(found: Any, expected: Any, *, rtol: float = 1e-4, atol: float = 1e-5) -> str:
    """Returns in a few words how two outputs differ, empty if they do not.

    Args:
        found: what came out.
        expected: what should have come out, of the same structure.
        rtol: relative tolerance of floating-point values.
        atol: absolute tolerance, times the largest expected value if that is above 1.
    """
    ours, theirs = dict(leaves(found)), dict(leaves(expected))
    if list(ours) != list(theirs):
        return f"has {_listed(ours)} instead of {_listed(theirs)}"
    for key, one in ours.items():
        words = _between(one, theirs[key], rtol, atol)
        if words:
            return f"{key or 'the output'} {words}"
    return ""


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields what is inside lists, tuples and mappings, with its path."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from leaves(one, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for index, one in enumerate(value):
            yield from leaves(one, f"{path}[{index}]")
    else:
        yield path, value


def tensors(value: Any) -> dict[str, Tensor]:
    """Returns the tensors inside an output by path."""
    return {key: one for key, one in leaves(value) if isinstance(one, Tensor)}


def not_finite(value: Any) -> str:
    """Returns in a few words which tensor is empty, or has NaN or infinity, empty if none has."""
    for key, one in tensors(value).items():
        if not one.numel():
            return f"{key or 'the output'} of shape {tuple(one.shape)} is empty"
        if one.is_floating_point() and not bool(one.isfinite().all()):
            return f"{key or 'the output'} has NaN or infinity"
    return ""


def _listed(outputs: Mapping[str, Any]) -> str:
    return ", ".join(key or "one value" for key in outputs) or "nothing"


def _between(one: Any, other: Any, rtol: float, atol: float) -> str:
    one, other = _as_tensor(one), _as_tensor(other)
    if not isinstance(one, Tensor) or not isinstance(other, Tensor):
        return "" if type(one) is type(other) and _same(one, other) else f"is {one!r:.80} instead of {other!r:.80}"
    if one.shape != other.shape:
        return f"has shape {tuple(one.shape)} instead of {tuple(other.shape)}"
    if one.dtype != other.dtype:
        return f"is {one.dtype} instead of {other.dtype}"
    one, other = one.detach().double(), other.detach().double()
    scale = max(1.0, float(other.abs().nan_to_num(0, 0, 0).max())) if other.numel() else 1.0
    if torch.allclose(one, other, rtol=rtol, atol=atol * scale, equal_nan=True):
        return ""
    return f"differs by up to {float((one - other).abs().max()):.2g}"


def _as_tensor(value: Any) -> Any:
    """Returns an array or a picture as a tensor, anything else as it is."""
    is_array = not isinstance(value, Tensor) and hasattr(value, "__array_interface__")
    return torch.as_tensor(np.array(value)) if is_array else value


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other) or hasattr(one, "__dict__")
    # Objects whose comparison is no truth value are told apart by their types alone.
    except (TypeError, ValueError):
        return True
