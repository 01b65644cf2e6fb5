"""Residual branches of pytorchvideo's networks, and ip-CSN's; all are bottlenecks."""

from __future__ import annotations

from essmc_video.branches.base import ResidualBranch


class TemporalBottleneckBranch(ResidualBranch):
    """Bottleneck whose first convolution sees time and whose second sees space; there is no simple style.

    Feichtenhofer et al., "SlowFast Networks for Video Recognition", ICCV 2019, table 1.

    Args:
        dim_in: channels of the input.
        num_filters: channels of the output.
        kernel_size: (time of the first, height and width of the second convolution).
        downsampling: halve height and width, in the second convolution.
        downsampling_temporal: halve time there as well; has no effect without ``downsampling``.
        expansion_ratio: output channels over inner channels.
        bn_params: arguments of every batch norm; torch's defaults without.
        branch_style: only ``bottleneck`` is defined.
        construct_branch: make the layers now.

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

    Args:
        dim_in: channels of the input.
        num_filters: channels of the output.
        kernel_size: (time, height, width) of the convolution that is split.
        downsampling: halve height and width.
        downsampling_temporal: halve time as well; has no effect without ``downsampling``.
        expansion_ratio: output channels over inner channels.
        bn_params: arguments of every batch norm; torch's defaults without.
        branch_style: only ``bottleneck`` is defined.
        construct_branch: make the layers now.

    Raises:
        ConfigError: the simple style was asked for.
    """

    def construct_bottleneck(self) -> None:
        """Pointwise, temporal, spatial, pointwise."""
        inner, (time, height, width) = self.dim_inner, self.kernel_size
        temporal, spatial = (self.stride[0], 1, 1), (1, self.stride[1], self.stride[2])
        self.add_conv("a", self.dim_in, inner, bn_params=self.bn_params)
        self.add_conv("b1", inner, inner, (time, 1, 1), temporal, bn_params=self.bn_params)
        self.add_conv("b2", inner, inner, (1, height, width), spatial, bn_params=self.bn_params)
        self.add_conv("c", inner, self.num_filters, bn_params=self.bn_params, relu=False)


class IPCSNBranch(ResidualBranch):
    """Bottleneck whose main convolution is a pointwise one, batch norm and a depthwise one; there is no simple style.

    The interaction-preserved form (ip-CSN) of Tran et al., "Video Classification with Channel-Separated Convolutional
    Networks", ICCV 2019, figure 2; that a batch norm and no ReLU stands between the two is from the authors' code.

    Args:
        dim_in: channels of the input.
        num_filters: channels of the output.
        kernel_size: (time, height, width) of the depthwise convolution.
        downsampling: halve height and width.
        downsampling_temporal: halve time as well; has no effect without ``downsampling``.
        expansion_ratio: output channels over inner channels.
        bn_params: arguments of every batch norm; torch's defaults without.
        branch_style: only ``bottleneck`` is defined.
        construct_branch: make the layers now.

    Raises:
        ConfigError: the simple style was asked for.
    """

    def construct_bottleneck(self) -> None:
        """Pointwise, pointwise and depthwise, pointwise."""
        inner = self.dim_inner
        self.add_conv("a", self.dim_in, inner, bn_params=self.bn_params)
        self.add_conv("b1", inner, inner, bn_params=self.bn_params, relu=False)
        self.add_conv("b2", inner, inner, self.kernel_size, self.stride, groups=inner, bn_params=self.bn_params)
        self.add_conv("c", inner, self.num_filters, bn_params=self.bn_params, relu=False)
