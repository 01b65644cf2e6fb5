"""Residual branches of channel-separated networks."""

from __future__ import annotations

from essmc_video.networks.resnet3d.branches.base import ResidualBranch


class CSNBranch(ResidualBranch):
    """Bottleneck whose main convolution is depthwise; there is no simple style.

    The interaction-reduced form (ir-CSN) of Tran et al., "Video Classification with Channel-Separated Convolutional
    Networks", ICCV 2019, figure 2.
    Further arguments are those of ResidualBranch.

    Args:
        kernel_size: (time, height, width) of the depthwise convolution.
        branch_style: only ``bottleneck`` is defined.

    Raises:
        ConfigError: the simple style was asked for.
    """

    def construct_main(self, width: int) -> None:
        """Depthwise."""
        self.add_conv("b", width, width, self.kernel_size, self.stride, groups=width, bn_params=self.bn_params)


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
