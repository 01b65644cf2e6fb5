"""The Inception block of S3D."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from essmc_video.arguments.option_names import BatchNormArgument
from essmc_video.layers.max_pool import SeparableMaxPool3d
from essmc_video.networks.s3d.units import PointwiseUnit, SeparableUnit


class FeatureGate(nn.Module):
    """Scales channels by what the whole clip looks like.

    Xie et al., ECCV 2018, section 5: sigmoid(W · mean(x) + b) ⊙ x.

    Args:
        channels: channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, T, H, W) to the same shape."""
        gate: Tensor = self.fc(x.mean(dim=(2, 3, 4))).sigmoid()
        return x * gate[:, :, None, None, None]


class Mixed(nn.Module):
    """Four branches beside each other, concatenated.

    Args:
        channels_in: channels of the input.
        widths: (first branch, second's middle, second, third's middle, third, fourth).
        gating: scale the output of each branch by a `FeatureGate`.
        bn_params: arguments of the separable units' batch norms; torch's defaults without.
        pointwise_bn_params: arguments of the pointwise units' batch norms.
    """

    def __init__(
        self,
        channels_in: int,
        widths: Sequence[int],
        gating: bool,
        bn_params: Mapping[BatchNormArgument, Any] | None = None,
        pointwise_bn_params: Mapping[BatchNormArgument, Any] | None = None,
    ) -> None:
        super().__init__()
        first, second_middle, second, third_middle, third, fourth = widths
        norm = pointwise_bn_params
        self.branch0 = nn.Sequential(PointwiseUnit(channels_in, first, norm))
        self.branch1 = nn.Sequential(
            PointwiseUnit(channels_in, second_middle, norm),
            SeparableUnit(second_middle, second, 3, bn_params=bn_params),
        )
        self.branch2 = nn.Sequential(
            PointwiseUnit(channels_in, third_middle, norm), SeparableUnit(third_middle, third, 3, bn_params=bn_params)
        )
        self.branch3 = nn.Sequential(
            SeparableMaxPool3d(3, stride=1, padding=1), PointwiseUnit(channels_in, fourth, norm)
        )
        self.gating_b0, self.gating_b1, self.gating_b2, self.gating_b3 = (
            FeatureGate(width) if gating else nn.Identity() for width in (first, second, third, fourth)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, T, H, W) to (N, C', T, H, W)."""
        return torch.cat(
            [
                self.gating_b0(self.branch0(x)),
                self.gating_b1(self.branch1(x)),
                self.gating_b2(self.branch2(x)),
                self.gating_b3(self.branch3(x)),
            ],
            dim=1,
        )
