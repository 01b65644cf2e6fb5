"""What the arguments of SlowFast and of its head must be; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from essmc_core.building.rules import rule_check
from essmc_core.contract.heads import check_head
from essmc_core.errors import ConfigError
from essmc_video.arguments.sizes import check_four, triple
from essmc_video.networks.bottleneck_resnet.rules import blocks_of, check_kernels


def check_paths(
    alpha: int,
    beta: int,
    fusion_kernel_size: int,
    slow_index: str,
    slow_temporal_kernels: Sequence[Sequence[int]],
    fast_temporal_kernels: Sequence[Sequence[int]],
    stem_width: int,
    stage_widths: Sequence[int],
    expansion_ratio: int,
) -> None:
    """Refuses arguments that two paths cannot be built with.

    Raises:
        ConfigError: names what is wrong.
    """
    check_four(
        slow_temporal_kernels=slow_temporal_kernels,
        fast_temporal_kernels=fast_temporal_kernels,
        stage_widths=stage_widths,
    )
    if slow_index not in ("linspace", "stride"):
        raise ConfigError(f"slow_index is 'linspace' or 'stride', got {slow_index!r}")
    if alpha < 1 or fusion_kernel_size < 1 or fusion_kernel_size % 2 == 0:
        raise ConfigError("alpha is at least 1 and fusion_kernel_size is odd")
    smallest = beta * expansion_ratio
    if smallest < 1 or any(width % smallest for width in stage_widths) or stem_width % beta:
        raise ConfigError(
            f"the fast path has 1/{beta} of the channels {stem_width} and {tuple(stage_widths)}, "
            "which is no whole number of inner channels"
        )
    for kernels in (*slow_temporal_kernels, *fast_temporal_kernels):
        check_kernels(kernels)


def check_windows(pool_kernel_sizes: Sequence[Sequence[int]] | None) -> None:
    """Refuses other than a window for each path.

    Raises:
        ConfigError: says how many there are.
    """
    if pool_kernel_sizes is None:
        return
    if len(pool_kernel_sizes) != 2:
        count = len(pool_kernel_sizes)
        raise ConfigError(f"pool_kernel_sizes has {count} entries", hint="give one for each of the two paths")
    for sizes in pool_kernel_sizes:
        triple("pool_kernel_size", sizes)


def _depth(depth: int) -> None:
    blocks_of(depth)


check_slowfast = rule_check(_depth, check_paths)
_windows = rule_check(check_windows)


def check_slowfast_head(*subject: Any) -> None:
    """Checks the head of two paths, before it is built."""
    check_head(*subject)
    _windows(*subject)
