"""Residual branch of channel-separated networks."""

from __future__ import annotations

from essmc_video.branches.base import ResidualBranch


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
