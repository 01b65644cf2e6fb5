"""Residual branch whose convolutions are split into a spatial and a temporal one."""

from __future__ import annotations

from essmc_video.branches.base import ResidualBranch
from essmc_video.conv_chain import factorised_width


class R2Plus1DBranch(ResidualBranch):
    """R(2+1)D: each main convolution is a spatial one, batch norm, ReLU and a temporal one.

    Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", CVPR 2018. In the simple
    style each pair has its own number of channels between its halves; in a bottleneck it is the inner width.

    Args:
        dim_in: channels of the input.
        num_filters: channels of the output.
        kernel_size: (time, height, width) of the convolution that is split.
        downsampling: halve height and width.
        downsampling_temporal: halve time as well; has no effect without ``downsampling``.
        expansion_ratio: output channels over inner channels of a bottleneck.
        bn_params: arguments of every batch norm; torch's defaults without.
        branch_style: ``simple_block`` or ``bottleneck``.
        construct_branch: make the layers now.
    """

    def construct_simple_block(self) -> None:
        """Split convolution twice."""
        width = self.num_filters
        for name, dim_in, stride, relu in (("a", self.dim_in, self.stride, True), ("b", width, (1, 1, 1), False)):
            middle = factorised_width(self.kernel_size, dim_in, width)
            self.add_factorised_conv(
                name, dim_in, middle, width, self.kernel_size, stride, bn_params=self.bn_params, relu=relu
            )

    def construct_bottleneck(self) -> None:
        """Pointwise, split convolution, pointwise."""
        inner = self.dim_inner
        self.add_conv("a", self.dim_in, inner, bn_params=self.bn_params)
        self.add_factorised_conv("b", inner, inner, inner, self.kernel_size, self.stride, bn_params=self.bn_params)
        self.add_conv("c", inner, self.num_filters, bn_params=self.bn_params, relu=False)
