"""Squeeze-and-excitation over clips."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from essmc_video.layers.conv3d import Conv3d


class SqueezeExcite3d(nn.Module):
    """Scales each channel by a gate that is computed from all channels' means.

    Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018.

    Args:
        width: channels.
        hidden: channels between the gate's two layers.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = Conv3d(width, hidden, 1)
        self.fc2 = Conv3d(hidden, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, T, H, W) to the same shape."""
        gate: Tensor = self.fc2(torch.relu(self.fc1(x.mean(dim=(2, 3, 4), keepdim=True))))
        return x * gate.sigmoid()
