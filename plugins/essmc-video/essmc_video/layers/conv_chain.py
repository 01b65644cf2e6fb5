"""Convolution, batch norm and ReLU in a row: what branches and stems are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from essmc_core.errors import ConfigError
from essmc_video.arguments.option_names import BatchNormArgument
from essmc_video.arguments.sizes import Triple, triple
from essmc_video.layers.batch_norm import batch_norm
from essmc_video.layers.conv3d import Conv3d

__all__ = ["ConvChain", "Triple", "factorised_width", "same_padding", "strides", "triple"]


def same_padding(kernel_size: Triple) -> Triple:
    """Returns the padding at which a convolution of odd size and stride 1 keeps the shape."""
    time, height, width = kernel_size
    return (time // 2, height // 2, width // 2)


def strides(downsampling: bool, downsampling_temporal: bool) -> Triple:
    """Returns the (time, height, width) stride of a stage; time is halved only together with space."""
    if not downsampling:
        return (1, 1, 1)
    return (2, 2, 2) if downsampling_temporal else (1, 2, 2)


def factorised_width(kernel_size: Triple, dim_in: int, dim_out: int) -> int:
    """Returns the channels between the two halves of a (2+1)D convolution.

    The number that keeps the parameters of the full 3D convolution: Tran et al., "A Closer Look at Spatiotemporal
    Convolutions for Action Recognition", CVPR 2018, section 3.5.
    """
    time, height, width = kernel_size
    area = height * width
    return (time * area * dim_in * dim_out) // (area * dim_in + time * dim_out)


class ConvChain(nn.Sequential):
    """Layers that run one after another, under the names that checkpoints use."""

    def add_conv(
        self,
        name: str,
        dim_in: int,
        dim_out: int,
        kernel_size: Triple = (1, 1, 1),
        stride: Triple = (1, 1, 1),
        *,
        groups: int = 1,
        bn_params: Mapping[BatchNormArgument, Any],
        relu: bool = True,
    ) -> None:
        """Appends a "same"-padded convolution without bias as ``name``, then ``name_bn`` and ``name_relu``.

        Raises:
            ConfigError: it has no channels.
        """
        if dim_in < 1 or dim_out < 1:
            raise ConfigError(
                f"convolution {name!r} of kernel {kernel_size} would map {dim_in} channels to {dim_out}",
                hint="widen the network; a factorised convolution needs at least two channels at its end",
            )
        padding = same_padding(kernel_size)
        conv = Conv3d(dim_in, dim_out, kernel_size, stride, padding, groups=groups, bias=False)
        self.add_module(name, conv)
        self.add_module(f"{name}_bn", batch_norm(dim_out, bn_params))
        if relu:
            self.add_module(f"{name}_relu", nn.ReLU(inplace=True))

    def add_factorised_conv(
        self,
        name: str,
        dim_in: int,
        dim_mid: int,
        dim_out: int,
        kernel_size: Triple,
        stride: Triple = (1, 1, 1),
        *,
        bn_params: Mapping[BatchNormArgument, Any],
        relu: bool = True,
    ) -> None:
        """Appends a spatial convolution as ``name1`` and a temporal one as ``name2``, each with its batch norm."""
        time, height, width = kernel_size
        spatial, temporal = (1, stride[1], stride[2]), (stride[0], 1, 1)
        self.add_conv(f"{name}1", dim_in, dim_mid, (1, height, width), spatial, bn_params=bn_params)
        self.add_conv(f"{name}2", dim_mid, dim_out, (time, 1, 1), temporal, bn_params=bn_params, relu=relu)
