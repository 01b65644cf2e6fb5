"""A residual block around any registered branch, and a stage of such blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor, nn

from essmc_core import BRICKS
from essmc_core.errors import ConfigError
from essmc_video.arguments.option_names import BatchNormArgument
from essmc_video.layers.batch_norm import batch_norm
from essmc_video.layers.conv3d import Conv3d
from essmc_video.layers.conv_chain import strides


class Base3DBlock(nn.Module):
    """ReLU of shortcut plus branch; the shortcut is a pointwise convolution where shape or width change.

    Args:
        branch_name: name of the branch in ``BRICKS``.
        dim_in: channels of the input.
        num_filters: channels of the output.
        kernel_size: (time, height, width) of the branch's main convolutions.
        downsampling: halve height and width.
        downsampling_temporal: halve time as well; has no effect without ``downsampling``.
        expansion_ratio: output channels over inner channels of a bottleneck.
        branch_style: ``simple_block`` or ``bottleneck``.
        branch_cfg: further arguments of the branch.
        bn_params: arguments of every batch norm; torch's defaults without.

    Raises:
        ConfigError: ``branch_cfg`` sets an argument that the block decides.
        UnknownComponent: no brick is called ``branch_name``.
    """

    def __init__(
        self,
        branch_name: str,
        dim_in: int,
        num_filters: int,
        kernel_size: Sequence[int],
        downsampling: bool,
        downsampling_temporal: bool,
        expansion_ratio: int,
        branch_style: Literal["simple_block", "bottleneck"] = "simple_block",
        branch_cfg: Mapping[str, Any] | None = None,
        bn_params: Mapping[BatchNormArgument, Any] | None = None,
    ) -> None:
        super().__init__()
        self.short_cut: nn.Conv3d | None = None
        self.short_cut_bn: nn.BatchNorm3d | None = None
        if dim_in != num_filters or downsampling:
            stride = strides(downsampling, downsampling_temporal)
            self.short_cut = Conv3d(dim_in, num_filters, kernel_size=1, stride=stride, bias=False)
            self.short_cut_bn = batch_norm(num_filters, bn_params)
        arguments = {
            "type": branch_name,
            "dim_in": dim_in,
            "num_filters": num_filters,
            "kernel_size": kernel_size,
            "downsampling": downsampling,
            "downsampling_temporal": downsampling_temporal,
            "expansion_ratio": expansion_ratio,
            "branch_style": branch_style,
            "bn_params": bn_params,
        }
        if taken := sorted(arguments.keys() & (branch_cfg or {}).keys()):
            raise ConfigError(
                f"branch_cfg sets {', '.join(taken)}, which the block decides",
                hint="give them to the backbone instead",
            )
        self.conv_branch: nn.Module = BRICKS.build({**arguments, **(branch_cfg or {})})
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, dim_in, T, H, W) to (N, num_filters, T', H', W')."""
        shortcut = x
        if self.short_cut is not None and self.short_cut_bn is not None:
            shortcut = self.short_cut_bn(self.short_cut(x))
        out: Tensor = self.relu(shortcut + self.conv_branch(x))
        return out


class Base3DResStage(nn.Sequential):
    """Blocks ``res_1`` to ``res_n``, of which the first may change shape and width, then perhaps ``nonlocal``.

    Args:
        num_blocks: number of blocks.
        branch_name: name of the branch in ``BRICKS``.
        dim_in: channels of the input.
        num_filters: channels of the output.
        kernel_size: (time, height, width) of the branches' main convolutions.
        downsampling: halve height and width.
        downsampling_temporal: halve time as well; has no effect without ``downsampling``.
        expansion_ratio: output channels over inner channels of a bottleneck.
        branch_style: ``simple_block`` or ``bottleneck``.
        branch_cfg: further arguments of every branch.
        bn_params: arguments of every batch norm; torch's defaults without.
        non_local: end with a non-local block.
        non_local_cfg: further arguments of that block.
    """

    def __init__(
        self,
        num_blocks: int,
        branch_name: str,
        dim_in: int,
        num_filters: int,
        kernel_size: Sequence[int],
        downsampling: bool,
        downsampling_temporal: bool,
        expansion_ratio: int,
        branch_style: Literal["simple_block", "bottleneck"] = "simple_block",
        branch_cfg: Mapping[str, Any] | None = None,
        bn_params: Mapping[BatchNormArgument, Any] | None = None,
        non_local: bool = False,
        non_local_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.num_blocks = num_blocks
        for index in range(num_blocks):
            first = index == 0
            block = Base3DBlock(
                branch_name,
                dim_in=dim_in if first else num_filters,
                num_filters=num_filters,
                kernel_size=kernel_size,
                downsampling=downsampling and first,
                downsampling_temporal=downsampling_temporal,
                expansion_ratio=expansion_ratio,
                branch_style=branch_style,
                branch_cfg=branch_cfg,
                bn_params=bn_params,
            )
            self.add_module(f"res_{index + 1}", block)
        if non_local:
            attention = {"type": "NonLocal", "dim_in": num_filters, "num_filters": num_filters, "bn_params": bn_params}
            self.add_module("nonlocal", BRICKS.build({**attention, **(non_local_cfg or {})}))
