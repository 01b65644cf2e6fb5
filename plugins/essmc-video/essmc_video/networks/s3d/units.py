"""The convolutions of S3D, each followed by batch norm and ReLU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from essmc_video.arguments.option_names import BatchNormArgument
from essmc_video.layers.batch_norm import batch_norm
from essmc_video.layers.conv3d import Conv3d


class PointwiseUnit(nn.Module):
    """1×1×1 convolution, batch norm, ReLU.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
        bn_params: arguments of the batch norm; torch's defaults without.
    """

    def __init__(
        self, channels_in: int, channels_out: int, bn_params: Mapping[BatchNormArgument, Any] | None = None
    ) -> None:
        super().__init__()
        self.conv = Conv3d(channels_in, channels_out, kernel_size=1, bias=False)
        self.bn = batch_norm(channels_out, bn_params)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, channels_in, T, H, W) to (N, channels_out, T, H, W)."""
        return functional.relu(self.bn(self.conv(x)), inplace=True)


class SeparableUnit(nn.Module):
    """Spatial convolution, batch norm, ReLU; then the same in time.

    Xie et al., "Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs in Video Classification",
    ECCV 2018, section 4.2.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output, and between the two.
        kernel_size: of both convolutions, odd; they are padded by half of it.
        stride: of both convolutions.
        bn_params: arguments of the batch norms; torch's defaults without.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel_size: int,
        stride: int = 1,
        bn_params: Mapping[BatchNormArgument, Any] | None = None,
    ) -> None:
        super().__init__()
        half = kernel_size // 2
        spatial = ((1, kernel_size, kernel_size), (1, stride, stride), (0, half, half))
        temporal = ((kernel_size, 1, 1), (stride, 1, 1), (half, 0, 0))
        self.conv1 = Conv3d(channels_in, channels_out, *spatial, bias=False)
        self.bn1 = batch_norm(channels_out, bn_params)
        self.conv2 = Conv3d(channels_out, channels_out, *temporal, bias=False)
        self.bn2 = batch_norm(channels_out, bn_params)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, channels_in, T, H, W) to (N, channels_out, T', H', W')."""
        spatial = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        return functional.relu(self.bn2(self.conv2(spatial)), inplace=True)
