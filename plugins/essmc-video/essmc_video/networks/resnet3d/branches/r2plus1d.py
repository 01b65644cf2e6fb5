"""Residual branches whose convolutions are split into a spatial and a temporal one."""

from __future__ import annotations

from typing import ClassVar

from essmc_core.contract.processors import table
from essmc_video.layers.conv_chain import factorised_width
from essmc_video.networks.resnet3d.branches.base import ResidualBranch


@table.ODD_WIDTHS_AS_GIVEN.taken_by
class R2Plus1DBranch(ResidualBranch):
    """R(2+1)D: each main convolution is a spatial one, batch norm, ReLU and a temporal one.

    Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", CVPR 2018. In the simple
    style each pair has its own number of channels between its halves; in a bottleneck it is the inner width.
    Further arguments are those of ResidualBranch.

    Args:
        kernel_size: (time, height, width) of the convolution that is split.
    """

    trains_channels_last: ClassVar[bool] = False

    def construct_simple_block(self) -> None:
        """Split convolution twice."""
        width = self.num_filters
        for name, dim_in, stride, relu in (("a", self.dim_in, self.stride, True), ("b", width, (1, 1, 1), False)):
            middle = factorised_width(self.kernel_size, dim_in, width)
            self.add_factorised_conv(
                name, dim_in, middle, width, self.kernel_size, stride, bn_params=self.bn_params, relu=relu
            )

    def construct_main(self, width: int) -> None:
        """Split convolution."""
        self.add_factorised_conv("b", width, width, width, self.kernel_size, self.stride, bn_params=self.bn_params)


class TemporalFirstR2Plus1DBranch(ResidualBranch):
    """Bottleneck whose main convolution is a temporal one, batch norm, ReLU and a spatial one, all of inner width.

    Not the order of Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", CVPR 2018,
    but the one pytorchvideo's weights were trained in.
    Further arguments are those of ResidualBranch.

    Args:
        kernel_size: (time, height, width) of the convolution that is split.
        branch_style: only ``bottleneck`` is defined.

    Raises:
        ConfigError: the simple style was asked for.
    """

    def construct_main(self, width: int) -> None:
        """Temporal, then spatial."""
        temporal, spatial = (self.kernel_size[0], 1, 1), (1, *self.kernel_size[1:])
        temporal_stride, spatial_stride = (self.stride[0], 1, 1), (1, *self.stride[1:])
        self.add_conv("b1", width, width, temporal, temporal_stride, bn_params=self.bn_params)
        self.add_conv("b2", width, width, spatial, spatial_stride, bn_params=self.bn_params)
