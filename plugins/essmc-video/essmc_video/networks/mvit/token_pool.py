"""Pooling of tokens that lie on a grid in time and space."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from essmc_video.layers.conv3d import Conv3d
from essmc_video.layers.conv_chain import Triple
from essmc_video.networks.mvit.window import Window

PoolingMode = Literal["conv", "avg", "max"]
EPS = 1e-6


class TokenPool(nn.Module):
    """Pools tokens over windows of their grid: (N, L, dim) → (N, L', dim).

    Fan et al., "Multiscale Vision Transformers", ICCV 2021, section 3.1. Class tokens pass the pool by, though not the
    layer norm that follows a learned one.

    Args:
        dim: width of the tokens.
        window: what is pooled into one token.
        mode: a learned convolution with a layer norm, the mean (zeros beyond the edges count), or the maximum.
        class_tokens: how many tokens in front are not on the grid.
        depthwise: let the convolution pool each feature by itself.
    """

    def __init__(
        self, dim: int, window: Window, mode: PoolingMode = "conv", class_tokens: int = 1, depthwise: bool = True
    ) -> None:
        super().__init__()
        self.window = window
        self.class_tokens = class_tokens
        self.norm = nn.LayerNorm(dim, eps=EPS) if mode == "conv" else None
        self.pool = _pool(dim, window, mode, depthwise)

    def forward(self, tokens: Tensor, grid: Triple) -> Tensor:
        """Returns what is left of the tokens, whose grid is then ``window.pooled(grid)``.

        Args:
            tokens: class tokens, then those of the grid in the order time, height, width.
            grid: tokens along time, height and width.
        """
        # As a view that is channels last, since tokens are contiguous with their channels last; nothing is copied.
        volume = torch.unflatten(tokens[:, self.class_tokens :], 1, grid).permute(0, 4, 1, 2, 3)
        pooled = self.pool(volume).permute(0, 2, 3, 4, 1).flatten(1, 3)
        if self.class_tokens:
            pooled = torch.cat([tokens[:, : self.class_tokens], pooled], dim=1)
        normed: Tensor = pooled if self.norm is None else self.norm(pooled)
        return normed


def _pool(dim: int, window: Window, mode: PoolingMode, depthwise: bool) -> nn.Module:
    shape = (window.kernel_size, window.stride)
    if mode == "max":
        return nn.MaxPool3d(*shape, padding=window.padding)
    if mode == "avg":
        time, height, width = window.padding
        # PyTorch's own padding of means refuses what is smaller than the window.
        return nn.Sequential(nn.ConstantPad3d((width, width, height, height, time, time), 0.0), nn.AvgPool3d(*shape))
    return Conv3d(dim, dim, *shape, padding=window.padding, groups=dim if depthwise else 1, bias=False)
