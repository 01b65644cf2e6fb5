"""Residual block of TAdaConvNeXtV2."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from essmc_core.contract.annotations import Probability
from essmc_video.layers.average_pool import SameAvgPool3d
from essmc_video.layers.drop_path import drop_path
from essmc_video.layers.quick_gelu import quick_gelu
from essmc_video.networks.tadaconvnext.depthwise_conv import TAdaDepthwiseConv
from essmc_video.networks.tadaconvnext.route_function import RouteFunction


class TAdaConvNeXtV2Block(nn.Module):
    """ConvNeXt block around an adaptive 7×7 depthwise convolution and the temporal average of what it returns.

    Huang et al., "Temporally-Adaptive Models for Efficient Video Understanding", 2023, figure 3.

    Args:
        width: channels.
        route_reduction: channels over inner channels of the route function.
        route_kernels: frames that the route function's two convolutions see.
        head_dim: width of its attention heads.
        layer_scale: start of the scale per channel of the residual branch.
        drop_path_rate: chance of dropping the residual branch of a clip in train mode.
    """

    def __init__(
        self,
        width: int,
        route_reduction: int,
        route_kernels: Sequence[int],
        head_dim: int,
        layer_scale: float,
        drop_path_rate: Probability,
    ) -> None:
        super().__init__()
        self.dwconv = TAdaDepthwiseConv(width, kernel_size=7)
        self.dwconv_rf = RouteFunction(width, route_reduction, route_kernels, head_dim, zero_init=True)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.avgpool = SameAvgPool3d((3, 1, 1))
        self.norm_avgpool = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1 = nn.Linear(width, 4 * width)
        self.pwconv2 = nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.full((width,), layer_scale))
        self.drop_path = drop_path(drop_path_rate)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, T, H, W) to the same shape."""
        convolved = self.dwconv(x, *self.dwconv_rf(x))
        averaged = self.avgpool(convolved)
        hidden = self.norm(convolved.movedim(1, -1)) + self.norm_avgpool(averaged.movedim(1, -1))
        hidden = self.pwconv2(quick_gelu(self.pwconv1(hidden))) * self.gamma
        out: Tensor = x + self.drop_path(hidden.movedim(-1, 1))
        return out
