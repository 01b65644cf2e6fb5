"""Stems: the first layers of a video backbone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from essmc_video.arguments.option_names import BatchNormArgument
from essmc_video.layers.conv_chain import ConvChain, Triple, factorised_width, strides, triple


class Base3DStem(ConvChain):
    """3D convolution, batch norm, ReLU: (N, dim_in, T, H, W) → (N, num_filters, T', H', W').

    Args:
        dim_in: channels of the video.
        num_filters: channels of the output.
        kernel_size: (time, height, width).
        downsampling: halve height and width.
        downsampling_temporal: halve time as well; has no effect without ``downsampling``.
        bn_params: arguments of every batch norm; torch's defaults without.
    """

    def __init__(
        self,
        dim_in: int = 3,
        num_filters: int = 64,
        kernel_size: Sequence[int] = (1, 7, 7),
        downsampling: bool = True,
        downsampling_temporal: bool = False,
        bn_params: Mapping[BatchNormArgument, Any] | None = None,
    ) -> None:
        super().__init__()
        self.dim_in = dim_in
        self.num_filters = num_filters
        self.kernel_size = triple("kernel_size", kernel_size)
        self.stride = strides(downsampling, downsampling_temporal)
        self.bn_params = dict(bn_params or {})
        self.construct()

    def construct(self) -> None:
        """Makes the layers."""
        self.add_conv("a", self.dim_in, self.num_filters, self.kernel_size, self.stride, bn_params=self.bn_params)


class Base2DStem(Base3DStem):
    """Spatial convolution, batch norm, ReLU: time is kept whatever kernel and stride say.

    Args:
        dim_in: channels of the video.
        num_filters: channels of the output.
        kernel_size: (time, height, width), of which time is not used.
        downsampling: halve height and width.
        downsampling_temporal: not used.
        bn_params: arguments of the batch norm; torch's defaults without.
    """

    def construct(self) -> None:
        """Makes the layers."""
        kernel: Triple = (1, self.kernel_size[1], self.kernel_size[2])
        stride: Triple = (1, self.stride[1], self.stride[2])
        self.add_conv("a", self.dim_in, self.num_filters, kernel, stride, bn_params=self.bn_params)


class DownSampleStem(Base3DStem):
    """3D convolution, batch norm, ReLU, then 3×3 max pooling that halves height and width once more.

    Args:
        dim_in: channels of the video.
        num_filters: channels of the output.
        kernel_size: (time, height, width).
        downsampling: halve height and width in the convolution.
        downsampling_temporal: halve time as well; has no effect without ``downsampling``.
        bn_params: arguments of the batch norm; torch's defaults without.
    """

    def construct(self) -> None:
        """Makes the layers."""
        super().construct()
        self.maxpool = nn.MaxPool3d(kernel_size=(1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))


class R2Plus1DStem(Base3DStem):
    """Spatial convolution, batch norm, ReLU, temporal convolution, batch norm, ReLU.

    Args:
        dim_in: channels of the video.
        num_filters: channels of the output.
        kernel_size: (time, height, width) of the 3D convolution that is split.
        downsampling: halve height and width.
        downsampling_temporal: halve time as well; has no effect without ``downsampling``.
        bn_params: arguments of every batch norm; torch's defaults without.
    """

    def construct(self) -> None:
        """Makes the layers."""
        middle = factorised_width(self.kernel_size, self.dim_in, self.num_filters)
        self.add_factorised_conv(
            "a", self.dim_in, middle, self.num_filters, self.kernel_size, self.stride, bn_params=self.bn_params
        )
