"""The memory format of clips, as conditions and layers test it."""

from __future__ import annotations

import torch
from torch import Tensor


def is_channels_last(features: Tensor) -> bool:
    """Returns whether features (N, C, T, H, W) are channels last and not contiguous as well."""
    return features.is_contiguous(memory_format=torch.channels_last_3d) and not features.is_contiguous()
