"""The least square image a network takes, found by dry runs once one was too small."""

from __future__ import annotations

import bisect
from typing import Any

import torch
from torch import Tensor, nn

_SIGNS = ("Output size is too small", "Kernel size can't be greater than actual input size")
_LARGEST = 512


def is_too_small(error: RuntimeError) -> bool:
    """Returns whether torch says that a feature map has become too small for its next layer."""
    return any(sign in str(error) for sign in _SIGNS)


def least_side(model: nn.Module, images: Tensor) -> int | None:
    """Returns the least height and width that a model takes, None if there is none up to 512 pixels.

    Args:
        model: a timm model with the uniform interface.
        images: (N, C, H, W) that were too small.
    """
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    on_meta = {f"model.{name}": torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}

    def takes(side: int) -> bool:
        # A batch of two: in train mode batch norm refuses to normalise over one value.
        dry = torch.empty(2, images.shape[1], side, side, dtype=images.dtype, device="meta")
        try:
            with torch.no_grad():
                torch.func.functional_call(_Native(model), on_meta, (dry,))
        except RuntimeError as error:
            return not is_too_small(error)
        return True

    found = bisect.bisect_left(range(1, _LARGEST), True, key=takes) + 1
    return found if found < _LARGEST else None


class _Native(nn.Module):
    """Runs a model as timm wrote it."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Any:
        return self.model.native.forward_features(self.model, x)
