"""X3D's stem and inverted bottleneck."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from essmc_video.arguments.option_names import BatchNormArgument
from essmc_video.layers.batch_norm import batch_norm
from essmc_video.layers.conv3d import Conv3d
from essmc_video.layers.conv_chain import Triple, same_padding
from essmc_video.networks.x3d.squeeze_excite import SqueezeExcite3d

ShortcutNorm = Literal["widening", "always"]


class X3DStem(nn.Sequential):
    """Spatial convolution, depthwise temporal convolution with nothing between, batch norm, ReLU.

    Args:
        dim_in: channels of the video.
        width: channels of the output.
        kernel_size: (time, height, width).
        spatial_stride: stride in height and width.
        bn_params: arguments of the batch norm; torch's defaults without.
    """

    def __init__(
        self,
        dim_in: int,
        width: int,
        kernel_size: Triple,
        spatial_stride: int = 2,
        bn_params: Mapping[BatchNormArgument, Any] | None = None,
    ) -> None:
        super().__init__()
        spatial, temporal = (1, kernel_size[1], kernel_size[2]), (kernel_size[0], 1, 1)
        stride = (1, spatial_stride, spatial_stride)
        self.spatial = Conv3d(dim_in, width, spatial, stride, same_padding(spatial), bias=False)
        self.temporal = Conv3d(width, width, temporal, 1, same_padding(temporal), groups=width, bias=False)
        self.bn = batch_norm(width, bn_params)
        self.relu = nn.ReLU(inplace=True)


class X3DBranch(nn.Sequential):
    """Pointwise, depthwise 3D, perhaps squeeze-and-excitation, swish, pointwise convolution.

    Args:
        dim_in: channels of the input.
        inner: channels inside.
        dim_out: channels of the output.
        kernel_size: (time, height, width) of the depthwise convolution.
        stride: (time, height, width) of the depthwise convolution.
        squeezed: hidden channels of the squeeze-and-excitation; 0 for none.
        bn_params: arguments of every batch norm; torch's defaults without.
    """

    def __init__(
        self,
        dim_in: int,
        inner: int,
        dim_out: int,
        kernel_size: Triple,
        stride: Triple,
        squeezed: int = 0,
        bn_params: Mapping[BatchNormArgument, Any] | None = None,
    ) -> None:
        super().__init__()
        self.a = Conv3d(dim_in, inner, 1, bias=False)
        self.a_bn = batch_norm(inner, bn_params)
        self.a_relu = nn.ReLU(inplace=True)
        self.b = Conv3d(inner, inner, kernel_size, stride, same_padding(kernel_size), groups=inner, bias=False)
        self.b_bn = batch_norm(inner, bn_params)
        if squeezed:
            self.b_se = SqueezeExcite3d(inner, squeezed)
        self.b_swish = nn.SiLU(inplace=True)
        self.c = Conv3d(inner, dim_out, 1, bias=False)
        self.c_bn = batch_norm(dim_out, bn_params)


class X3DBlock(nn.Module):
    """ReLU of shortcut plus branch.

    The shortcut is a pointwise convolution where stride or width change.

    Args:
        dim_in: channels of the input.
        inner: channels inside the branch.
        dim_out: channels of the output.
        kernel_size: (time, height, width) of the depthwise convolution.
        stride: (time, height, width) of the depthwise convolution.
        squeezed: hidden channels of the squeeze-and-excitation; 0 for none.
        bn_params: arguments of every batch norm; torch's defaults without.
        shortcut_norm: which convolutional shortcuts have a batch norm.
    """

    def __init__(
        self,
        dim_in: int,
        inner: int,
        dim_out: int,
        kernel_size: Triple,
        stride: Triple,
        squeezed: int = 0,
        bn_params: Mapping[BatchNormArgument, Any] | None = None,
        shortcut_norm: ShortcutNorm = "widening",
    ) -> None:
        super().__init__()
        self.short_cut = self.short_cut_bn = None
        if dim_in != dim_out or stride != (1, 1, 1):
            self.short_cut = Conv3d(dim_in, dim_out, 1, stride, bias=False)
        if dim_in != dim_out or (self.short_cut is not None and shortcut_norm == "always"):
            self.short_cut_bn = batch_norm(dim_out, bn_params)
        self.conv_branch = X3DBranch(dim_in, inner, dim_out, kernel_size, stride, squeezed, bn_params)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, dim_in, T, H, W) to (N, dim_out, T', H', W')."""
        shortcut = x if self.short_cut is None else self.short_cut(x)
        if self.short_cut_bn is not None:
            shortcut = self.short_cut_bn(shortcut)
        return torch.relu(shortcut + self.conv_branch(x))
