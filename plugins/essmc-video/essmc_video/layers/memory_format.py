"""The memory format in which CPUs train convolutions fastest; shapes and numbers stay as they are."""

from __future__ import annotations

import torch
from torch import Tensor

from essmc_core.contract.processors import table
from essmc_core.contract.processors.memory_format import is_channels_last
from essmc_core.contract.recording import is_recorded


def arrange_for_training(features: Tensor) -> Tensor:
    """Returns a clip's features in the memory format in which a CPU runs the convolutions of a training step fastest.

    Args:
        features: (N, C, T, H, W); returned unchanged if it has another rank, or is not computed by oneDNN on a CPU.
    """
    if is_recorded():
        return features
    if table.LARGE_MAPS_CHANNELS_LAST.applies(features):
        return features.contiguous(memory_format=torch.channels_last_3d)
    return features.contiguous() if table.SMALL_MAPS_CONTIGUOUS.applies(features) else features


def arrange_like(features: Tensor, clip: Tensor) -> Tensor:
    """Returns features in the memory format of the clip they come from, so that no caller meets another one."""
    if is_recorded() or is_channels_last(clip) or not is_channels_last(features):
        return features
    return features.contiguous()
