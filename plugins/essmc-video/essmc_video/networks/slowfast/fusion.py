"""Lateral connection of the fast path to the slow one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from essmc_video.arguments.option_names import BatchNormArgument
from essmc_video.layers.batch_norm import batch_norm
from essmc_video.layers.conv3d import Conv3d


class LateralFusion(nn.Module):
    """Strided temporal convolution of the fast features, concatenated behind the slow ones.

    Feichtenhofer et al., "SlowFast Networks for Video Recognition", ICCV 2019, section 3.4, "time-strided convolution".

    Args:
        fast_width: channels of the fast path; twice as many are added to the slow path.
        alpha: frames of the fast path per frame of the slow one.
        kernel_size: frames the convolution sees.
        bn_params: arguments of the batch norm; torch's defaults without.
    """

    def __init__(
        self, fast_width: int, alpha: int, kernel_size: int, bn_params: Mapping[BatchNormArgument, Any] | None = None
    ) -> None:
        super().__init__()
        self.conv_fast_to_slow = Conv3d(
            fast_width, 2 * fast_width, (kernel_size, 1, 1), (alpha, 1, 1), (kernel_size // 2, 0, 0), bias=False
        )
        self.bn = batch_norm(2 * fast_width, bn_params)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, slow: Tensor, fast: Tensor) -> Tensor:
        """Maps slow (N, C, T, H, W) and fast (N, F, alpha T, H, W) to (N, C + 2 F, T, H, W)."""
        return torch.cat([slow, self.relu(self.bn(self.conv_fast_to_slow(fast)))], dim=1)
