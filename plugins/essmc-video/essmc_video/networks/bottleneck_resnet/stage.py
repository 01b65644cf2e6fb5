"""A stage of bottlenecks, each with a temporal kernel of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from essmc_video.arguments.option_names import BatchNormArgument
from essmc_video.networks.bottleneck_resnet.rules import check_kernels, check_strides
from essmc_video.networks.resnet3d.stage import Base3DBlock


class BottleneckStage(nn.Sequential):
    """Blocks ``res_1`` to ``res_n``, of which the first may change shape and width.

    Args:
        num_blocks: number of blocks.
        dim_in: channels of the input.
        dim_out: channels of the output.
        temporal_kernels: length in time of the kernel of each block; repeated until there are enough.
        spatial_stride: 1, or 2 to halve height and width in the first block.
        temporal_stride: 1, or 2 to halve time there as well.
        branch_name: name of the branch in ``BRICKS``.
        expansion_ratio: output channels over inner channels.
        bn_params: arguments of every batch norm; torch's defaults without.

    Raises:
        ConfigError: a stride is neither 1 nor 2, time is strided without space, or there are no temporal kernels.
    """

    def __init__(
        self,
        num_blocks: int,
        dim_in: int,
        dim_out: int,
        temporal_kernels: Sequence[int],
        spatial_stride: int = 1,
        temporal_stride: int = 1,
        branch_name: str = "TemporalBottleneckBranch",
        expansion_ratio: int = 4,
        bn_params: Mapping[BatchNormArgument, Any] | None = None,
    ) -> None:
        super().__init__()
        check_strides(temporal_stride, spatial_stride)
        check_kernels(temporal_kernels)
        for index in range(num_blocks):
            first = index == 0
            block = Base3DBlock(
                branch_name,
                dim_in=dim_in if first else dim_out,
                num_filters=dim_out,
                kernel_size=(temporal_kernels[index % len(temporal_kernels)], 3, 3),
                downsampling=first and spatial_stride == 2,
                downsampling_temporal=temporal_stride == 2,
                expansion_ratio=expansion_ratio,
                branch_style="bottleneck",
                bn_params=bn_params,
            )
            self.add_module(f"res_{index + 1}", block)
