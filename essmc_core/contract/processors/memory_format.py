"""The memory format of clips: the one question that conditions and layers ask of it."""

from __future__ import annotations

import torch
from torch import Tensor


def is_channels_last(features: Tensor) -> bool:
    """Tells whether features (N, C, T, H, W) are channels last, and cannot be taken for contiguous ones."""
    return features.is_contiguous(memory_format=torch.channels_last_3d) and not features.is_contiguous()
