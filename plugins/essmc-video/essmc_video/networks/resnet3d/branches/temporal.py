"""Residual branch of pytorchvideo's networks, whose convolutions see time and space in turn."""

from __future__ import annotations

from essmc_video.networks.resnet3d.branches.base import ResidualBranch


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
