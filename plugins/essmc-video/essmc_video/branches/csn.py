"""Residual branch of channel-separated networks."""

from __future__ import annotations

from essmc_video.branches.base import ResidualBranch


class CSNBranch(ResidualBranch):
    """Bottleneck whose main convolution is depthwise; there is no simple style.

    The interaction-reduced form (ir-CSN) of Tran et al., "Video Classification with Channel-Separated Convolutional
    Networks", ICCV 2019, figure 2.

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
        """Pointwise, depthwise, pointwise."""
        inner = self.dim_inner
        self.add_conv("a", self.dim_in, inner, bn_params=self.bn_params)
        self.add_conv("b", inner, inner, self.kernel_size, self.stride, groups=inner, bn_params=self.bn_params)
        self.add_conv("c", inner, self.num_filters, bn_params=self.bn_params, relu=False)
