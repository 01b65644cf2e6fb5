"""Learned positions for grids of other sizes than they were learned on."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from essmc_video.arguments.sizes import Triple


def resize_positions(positions: Tensor, learned: Triple, wanted: Triple, prefix: int = 1) -> Tensor:
    """Interpolates positions linearly along time, height and width.

    Args:
        positions: (1, prefix + learned tokens, D) in the order time, height, width.
        learned: tokens along each dimension that the positions are for.
        wanted: tokens along each dimension that positions are needed for.
        prefix: positions of class tokens, which are kept as they are.

    Returns:
        (1, prefix + wanted tokens, D); the same tensor where the sizes agree.
    """
    if learned == wanted:
        return positions
    table = torch.unflatten(positions[:, prefix:], 1, learned).permute(0, 4, 1, 2, 3)
    resized = functional.interpolate(table, size=wanted, mode="trilinear", align_corners=False)
    return torch.cat([positions[:, :prefix], resized.flatten(2).transpose(1, 2)], dim=1)
