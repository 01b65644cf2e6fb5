"""The stacks of TransNet V2: convolutions in space, then in time at four distances, with a shortcut and pooling."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

DILATIONS = (1, 2, 4, 8)
"""Frames from one to the next that a convolution in time looks at."""


class FactorizedConv(nn.Module):
    """A 3 x 3 x 3 convolution in two steps: in space with twice the filters, then in time.

    Args:
        in_channels: channels of the input.
        filters: channels of the output.
        dilation: frames between those that are looked at.
    """

    def __init__(self, in_channels: int, filters: int, dilation: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(in_channels, 2 * filters, (1, 3, 3), padding=(0, 1, 1), bias=False),
            nn.Conv3d(2 * filters, filters, (3, 1, 1), dilation=(dilation, 1, 1), padding=(dilation, 0, 0), bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, T, H, W) → (N, filters, T, H, W)."""
        out: Tensor = self.layers(features)
        return out


class DilatedBlock(nn.Module):
    """Four convolutions of different reach in time beside each other, normalised together.

    Args:
        in_channels: channels of the input.
        filters: channels of each convolution; the output has four times as many.
    """

    def __init__(self, in_channels: int, filters: int) -> None:
        super().__init__()
        for dilation in DILATIONS:
            self.add_module(f"Conv3D_{dilation}", FactorizedConv(in_channels, filters, dilation))
        self.bn = nn.BatchNorm3d(len(DILATIONS) * filters, eps=1e-3)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, T, H, W) → (N, 4 * filters, T, H, W)."""
        reaches = [self.get_submodule(f"Conv3D_{dilation}")(features) for dilation in DILATIONS]
        return functional.relu(self.bn(torch.cat(reaches, dim=1)))


class DilatedStack(nn.Module):
    """Blocks in a row, the first one's output added to the last one's, and pictures halved in height and width.

    Args:
        in_channels: channels of the input.
        filters: channels of each convolution; the output has four times as many.
        blocks: how many blocks there are.
    """

    def __init__(self, in_channels: int, filters: int, blocks: int) -> None:
        super().__init__()
        widths = [in_channels, *[len(DILATIONS) * filters] * (blocks - 1)]
        self.DDCNN = nn.ModuleList(DilatedBlock(width, filters) for width in widths)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, T, H, W) → (N, 4 * filters, T, H // 2, W // 2)."""
        first = features = self.DDCNN[0](features)
        for block in list(self.DDCNN)[1:]:
            features = block(features)
        return functional.avg_pool3d(features + first, (1, 2, 2))
