"""The arguments and the two styles that all residual branches share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from torch import nn

from essmc_core.errors import ConfigError
from essmc_video.arguments.option_names import BatchNormArgument
from essmc_video.layers.conv_chain import ConvChain, strides
from essmc_video.networks.resnet3d.rules import branch_kernel, inner_width


class ResidualBranch(ConvChain):
    """Base of branches (N, dim_in, T, H, W) → (N, num_filters, T', H', W'); the block adds shortcut and last ReLU.

    A subclass overrides `construct_simple_block` for the one style, and for the other `construct_main`, or
    `construct_bottleneck` where its outer convolutions are not pointwise.

    Args:
        dim_in: channels of the input.
        num_filters: channels of the output.
        kernel_size: (time, height, width) of the branch's main convolution.
        downsampling: halve height and width.
        downsampling_temporal: halve time as well; has no effect without ``downsampling``.
        expansion_ratio: output channels over inner channels of a bottleneck.
        bn_params: arguments of every batch norm, e.g. ``eps`` and ``momentum``; torch's defaults without.
        branch_style: ``simple_block``, two main convolutions, or ``bottleneck``, one between two that change the width.
        construct_branch: make the layers now; False leaves that to the subclass.

    Raises:
        ConfigError: the branch has no such style, ``kernel_size`` has not three odd numbers, or no channel is left
            inside.
    """

    trains_channels_last: ClassVar[bool] = True
    """Whether a CPU trains a network of these branches faster channels last."""

    def __init__(
        self,
        dim_in: int,
        num_filters: int,
        kernel_size: Sequence[int],
        downsampling: bool,
        downsampling_temporal: bool,
        expansion_ratio: int,
        bn_params: Mapping[BatchNormArgument, Any] | None = None,
        branch_style: Literal["simple_block", "bottleneck"] = "simple_block",
        construct_branch: bool = True,
    ) -> None:
        super().__init__()
        self.dim_in = dim_in
        self.num_filters = num_filters
        self.kernel_size = branch_kernel(kernel_size)
        self.stride = strides(downsampling, downsampling_temporal)
        self.expansion_ratio = expansion_ratio
        self.bn_params = dict(bn_params or {})
        self.branch_style = branch_style
        if construct_branch:
            self.construct()

    @property
    def dim_inner(self) -> int:
        """Channels inside a bottleneck.

        Raises:
            ConfigError: none is left.
        """
        return inner_width(self.num_filters, self.expansion_ratio)

    def construct(self) -> None:
        """Makes the layers of the chosen style."""
        if self.branch_style == "simple_block":
            self.construct_simple_block()
        elif self.branch_style == "bottleneck":
            self.construct_bottleneck()
        else:
            raise self._no_such_style()

    def construct_simple_block(self) -> None:
        """Makes the layers of the style without bottleneck."""
        raise self._no_such_style()

    def construct_bottleneck(self) -> None:
        """Makes the layers of the bottleneck style: pointwise, main, pointwise."""
        inner = self.dim_inner
        self.add_conv("a", self.dim_in, inner, bn_params=self.bn_params)
        self.construct_main(inner)
        self.add_conv("c", inner, self.num_filters, bn_params=self.bn_params, relu=False)

    def construct_main(self, width: int) -> None:
        """Makes the main convolution of a bottleneck, which keeps the width."""
        raise self._no_such_style()

    def _no_such_style(self) -> ConfigError:
        return ConfigError(
            f"{type(self).__name__} has no style {self.branch_style!r}",
            hint="depths 26, 50, 101 and 152 are built of bottlenecks, all others of simple blocks",
        )

    def zero_init_last(self) -> None:
        """Zeroes the scale of the last batch norm, so that the block starts as its shortcut."""
        last = list(self.children())[-1]
        if isinstance(last, nn.BatchNorm3d):
            nn.init.zeros_(last.weight)
