"""Checks weights for NaN and infinity, which propagate to every output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def is_finite(tensor: Tensor) -> bool:
    """Returns whether a tensor has neither NaN nor infinity; tensors of integers never have."""
    if tensor.is_meta or tensor.numel() == 0 or not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    values = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    try:
        # aminmax propagates NaN, so that one pass without a copy detects both.
        least, most = torch.aminmax(values.detach())
    except (RuntimeError, NotImplementedError):
        return bool(torch.isfinite(values.float()).all())
    return bool(torch.isfinite(least) & torch.isfinite(most))


def nonfinite(tensors: Mapping[str, Any]) -> list[str]:
    """Returns the names of tensors that contain NaN or infinity."""
    return [key for key, value in tensors.items() if isinstance(value, Tensor) and not is_finite(value)]
