"""The temporal operation of a TAdaFormer layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from essmc_video.layers.average_pool import SameAvgPool3d
from essmc_video.layers.conv3d import Conv3d
from essmc_video.layers.quick_gelu import quick_gelu
from essmc_video.networks.tadaconvnext.depthwise_conv import CalibratedDepthwiseConv
from essmc_video.networks.tadaconvnext.route_function import RouteFunction
from essmc_video.networks.tadaformer.rules import inner_width


class TAdaConvWithPool(CalibratedDepthwiseConv):
    """Adaptive 3×3 depthwise convolution that calibrates itself, and the temporal average of what it returns.

    Args:
        channels: channels of input and output.
        route_reduction: channels over inner channels of the route function.
        route_kernels: frames that the route function's two convolutions see.
        head_dim: width of its attention heads.
    """

    def __init__(self, channels: int, route_reduction: int, route_kernels: Sequence[int], head_dim: int) -> None:
        super().__init__(channels, kernel_size=3)
        self.rf_func = RouteFunction(channels, route_reduction, route_kernels, head_dim, zero_init=False)
        self.bn_a = nn.BatchNorm3d(channels)
        self.avgpool = SameAvgPool3d((3, 1, 1))
        self.bn_b = nn.BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, T, H, W) to the same shape."""
        convolved = self.convolve(x, *self.rf_func(x))
        out: Tensor = self.bn_a(convolved) + self.bn_b(self.avgpool(convolved))
        return out


class TAdaBlock(nn.Module):
    """Bottleneck around `TAdaConvWithPool`, on the patch tokens of a clip.

    Args:
        width: width of the tokens.
        reduction: width over channels inside.
        route_reduction: channels inside over inner channels of the route function.
        route_kernels: frames that the route function's two convolutions see.
        head_dim: width of its attention heads.
        temporally_enhanced: let the first projection see three frames; both projections are then convolutions.

    Raises:
        ConfigError: the channels of the route function are no multiple of ``head_dim``.
    """

    def __init__(
        self,
        width: int,
        reduction: int,
        route_reduction: int,
        route_kernels: Sequence[int],
        head_dim: int,
        temporally_enhanced: bool,
    ) -> None:
        super().__init__()
        inner = inner_width(width, reduction)
        self.tada_pre_proj: nn.Module
        self.tada_proj: nn.Module
        if temporally_enhanced:
            self.tada_pre_proj = Conv3d(width, inner, (3, 1, 1), padding=(1, 0, 0))
            self.tada_proj = Conv3d(inner, width, kernel_size=1)
        else:
            self.tada_pre_proj = nn.Linear(width, inner)
            self.tada_proj = nn.Linear(inner, width)
        self.tadaconv = TAdaConvWithPool(inner, route_reduction, route_kernels, head_dim)
        self.temporally_enhanced = temporally_enhanced

    def init_as_zero(self) -> None:
        """Zeroes the last projection and the average, so that a new block adds nothing to the tokens."""
        for layer in (self.tada_proj, self.tadaconv.bn_b):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Maps patch tokens (N, T, h · w, width) to the same shape.

        Args:
            tokens: row after row.
            grid: (h, w).
        """
        clips = torch.unflatten(tokens, 2, grid)
        if self.temporally_enhanced:
            hidden = quick_gelu(self.tadaconv(self.tada_pre_proj(clips.movedim(-1, 1))))
            enhanced: Tensor = self.tada_proj(hidden).movedim(1, -1)
            return enhanced.flatten(2, 3)
        hidden = self.tadaconv(self.tada_pre_proj(clips).movedim(-1, 1))
        out: Tensor = self.tada_proj(quick_gelu(hidden).movedim(1, -1))
        return out.flatten(2, 3)
