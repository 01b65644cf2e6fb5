"""Residual branch of TAda2D."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor, nn

from essmc_video.arguments.option_names import BatchNormArgument
from essmc_video.layers.average_pool import SameAvgPool3d
from essmc_video.layers.batch_norm import batch_norm
from essmc_video.layers.conv3d import Conv3d
from essmc_video.layers.tada_conv import RouteFuncMLP, TAdaConv2d
from essmc_video.networks.resnet3d.branches.base import ResidualBranch
from essmc_video.networks.resnet3d.rules import check_adaptive


class TAdaConvBlockAvgPool(ResidualBranch):
    """Bottleneck around a temporally adaptive convolution and a temporal average of what it returns.

    Huang et al., "TAda! Temporally-Adaptive Convolutions for Video Understanding", ICLR 2022, figure 2 (c). The
    average's batch norm starts at zero scale, and the calibration at one, so that a new block is its 2D bottleneck.

    Args:
        dim_in: channels of the input.
        num_filters: channels of the output.
        kernel_size: (time, height, width) of the main convolution; time is not used, the convolution is 2D.
        downsampling: halve height and width.
        downsampling_temporal: must be off where ``downsampling`` is on, this branch keeps its frames.
        expansion_ratio: output channels over inner channels.
        route_func_r: reduction ratio of the calibration's hidden layer.
        route_func_k: temporal kernel sizes of the calibration's two convolutions.
        pool_k: (time, height, width) of the average, odd.
        bn_params: arguments of the batch norms outside the calibration; torch's defaults without.
        branch_style: only ``bottleneck`` is defined.
        construct_branch: make the layers now.

    Raises:
        ConfigError: the simple style, or temporal downsampling, was asked for.
    """

    def __init__(
        self,
        dim_in: int,
        num_filters: int,
        kernel_size: Sequence[int],
        downsampling: bool,
        downsampling_temporal: bool,
        expansion_ratio: int,
        route_func_r: int = 4,
        route_func_k: Sequence[int] = (3, 3),
        pool_k: Sequence[int] = (3, 1, 1),
        bn_params: Mapping[BatchNormArgument, Any] | None = None,
        branch_style: Literal["simple_block", "bottleneck"] = "simple_block",
        construct_branch: bool = True,
    ) -> None:
        check_adaptive(downsampling, downsampling_temporal)
        self._route_func_r = route_func_r
        self._route_func_k = tuple(route_func_k)
        self._pool_k = tuple(pool_k)
        super().__init__(
            dim_in=dim_in,
            num_filters=num_filters,
            kernel_size=kernel_size,
            downsampling=downsampling,
            downsampling_temporal=downsampling_temporal,
            expansion_ratio=expansion_ratio,
            bn_params=bn_params,
            branch_style=branch_style,
            construct_branch=construct_branch,
        )

    def construct_bottleneck(self) -> None:
        """Pointwise, adaptive convolution plus its temporal average, pointwise."""
        inner, (_, height, width) = self.dim_inner, self.kernel_size
        self.a = Conv3d(self.dim_in, inner, kernel_size=1, bias=False)
        self.a_bn = batch_norm(inner, self.bn_params)
        self.a_relu = nn.ReLU(inplace=True)
        self.b = TAdaConv2d(
            inner,
            inner,
            kernel_size=(1, height, width),
            stride=(1, *self.stride[1:]),
            padding=(0, height // 2, width // 2),
            bias=False,
        )
        self.b_rf = RouteFuncMLP(inner, self._route_func_r, self._route_func_k)
        self.b_bn = batch_norm(inner, self.bn_params)
        self.b_avgpool = SameAvgPool3d(self._pool_k)
        self.b_avgpool_bn = batch_norm(inner, self.bn_params)
        self.b_relu = nn.ReLU(inplace=True)
        self.c = Conv3d(inner, self.num_filters, kernel_size=1, bias=False)
        self.c_bn = batch_norm(self.num_filters, self.bn_params)
        self.init_as_identity()

    def init_as_identity(self) -> None:
        """Zeroes the batch norm of the average; the calibration initializes itself as the identity."""
        nn.init.zeros_(self.b_avgpool_bn.weight)
        nn.init.zeros_(self.b_avgpool_bn.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Maps (N, dim_in, T, H, W) to (N, num_filters, T, H', W')."""
        x = self.a_relu(self.a_bn(self.a(input)))
        x = self.b(x, self.b_rf(x))
        x = self.b_relu(self.b_bn(x) + self.b_avgpool_bn(self.b_avgpool(x)))
        out: Tensor = self.c_bn(self.c(x))
        return out
