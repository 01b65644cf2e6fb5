"""Residual branch of plain 2D or 3D convolutions."""

from __future__ import annotations

from essmc_video.networks.resnet3d.branches.base import ResidualBranch


class R2D3DBranch(ResidualBranch):
    """Two convolutions, or a bottleneck around one.

    He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, figure 5, with (time, height, width)
    kernels; a kernel of time 1 makes it 2D. The stride is on the first main convolution.
    Further arguments are those of ResidualBranch.

    Args:
        kernel_size: (time, height, width) of the main convolutions.
    """

    def construct_simple_block(self) -> None:
        """Main convolution twice."""
        self.add_conv("a", self.dim_in, self.num_filters, self.kernel_size, self.stride, bn_params=self.bn_params)
        self.add_conv("b", self.num_filters, self.num_filters, self.kernel_size, bn_params=self.bn_params, relu=False)

    def construct_main(self, width: int) -> None:
        """One convolution."""
        self.add_conv("b", width, width, self.kernel_size, self.stride, bn_params=self.bn_params)
