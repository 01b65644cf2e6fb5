"""Residual branch of plain 2D or 3D convolutions."""

from __future__ import annotations

from essmc_video.branches.base import ResidualBranch


class R2D3DBranch(ResidualBranch):
    """Two convolutions, or a bottleneck around one.

    He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, figure 5, with (time, height, width)
    kernels; a kernel of time 1 makes it 2D. The stride is on the first main convolution.

    Args:
        dim_in: channels of the input.
        num_filters: channels of the output.
        kernel_size: (time, height, width) of the main convolutions.
        downsampling: halve height and width.
        downsampling_temporal: halve time as well; has no effect without ``downsampling``.
        expansion_ratio: output channels over inner channels of a bottleneck.
        bn_params: arguments of every batch norm; torch's defaults without.
        branch_style: ``simple_block`` or ``bottleneck``.
        construct_branch: make the layers now.
    """

    def construct_simple_block(self) -> None:
        """Main convolution twice."""
        self.add_conv("a", self.dim_in, self.num_filters, self.kernel_size, self.stride, bn_params=self.bn_params)
        self.add_conv("b", self.num_filters, self.num_filters, self.kernel_size, bn_params=self.bn_params, relu=False)

    def construct_bottleneck(self) -> None:
        """Pointwise, main, pointwise."""
        inner = self.dim_inner
        self.add_conv("a", self.dim_in, inner, bn_params=self.bn_params)
        self.add_conv("b", inner, inner, self.kernel_size, self.stride, bn_params=self.bn_params)
        self.add_conv("c", inner, self.num_filters, bn_params=self.bn_params, relu=False)
