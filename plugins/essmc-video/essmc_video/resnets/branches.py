"""Residual branches of pytorchvideo's networks, and ip-CSN's; all are bottlenecks."""

from __future__ import annotations

from essmc_video.branches.base import ResidualBranch
from essmc_video.branches.csn import CSNBranch


class TemporalBottleneckBranch(ResidualBranch):
    """Bottleneck whose first convolution sees time and whose second sees space; there is no simple style.

    Feichtenhofer et al., "SlowFast Networks for Video Recognition", ICCV 2019, table 1.
    Further arguments are those of ResidualBranch.

    Args:
        kernel_size: (time of the first, height and width of the second convolution).
        downsampling: halve height and width, in the second convolution.
        branch_style: only ``bottleneck`` is defined.

    Raises:
        ConfigError: the simple style was asked for.
    """

    def construct_bottleneck(self) -> None:
        """Temporal, spatial, pointwise."""
        inner, (time, height, width) = self.dim_inner, self.kernel_size
        self.add_conv("a", self.dim_in, inner, (time, 1, 1), bn_params=self.bn_params)
        self.add_conv("b", inner, inner, (1, height, width), self.stride, bn_params=self.bn_params)
        self.add_conv("c", inner, self.num_filters, bn_params=self.bn_params, relu=False)


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
        (time, *space), (time_stride, *space_stride) = self.kernel_size, self.stride
        self.add_conv("b1", width, width, (time, 1, 1), (time_stride, 1, 1), bn_params=self.bn_params)
        self.add_conv("b2", width, width, (1, *space), (1, *space_stride), bn_params=self.bn_params)


class IPCSNBranch(CSNBranch):
    """Bottleneck whose main convolution is a pointwise one, batch norm and a depthwise one; there is no simple style.

    The interaction-preserved form (ip-CSN) of Tran et al., "Video Classification with Channel-Separated Convolutional
    Networks", ICCV 2019, figure 2; that a batch norm and no ReLU stands between the two is from the authors' code.
    Arguments are those of CSNBranch.
    """

    def construct_main(self, width: int) -> None:
        """Pointwise, then depthwise."""
        self.add_conv("b1", width, width, bn_params=self.bn_params, relu=False)
        self.add_conv("b2", width, width, self.kernel_size, self.stride, groups=width, bn_params=self.bn_params)
