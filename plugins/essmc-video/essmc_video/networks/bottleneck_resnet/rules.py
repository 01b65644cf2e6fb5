"""What stages of bottlenecks, and heads behind them, must be; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from essmc_core.building.rules import rule_check
from essmc_core.contract.heads import check_head
from essmc_core.errors import ConfigError
from essmc_video.arguments.sizes import check_four, triple

BLOCKS_PER_STAGE: Mapping[int, tuple[int, int, int, int]] = {
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


def blocks_of(depth: int) -> tuple[int, int, int, int]:
    """Returns the number of blocks per stage.

    Raises:
        ConfigError: bottleneck networks have no such depth.
    """
    if depth not in BLOCKS_PER_STAGE:
        raise ConfigError(
            f"no bottleneck network of depth {depth} is defined",
            hint=f"depths: {', '.join(map(str, BLOCKS_PER_STAGE))}",
        )
    return BLOCKS_PER_STAGE[depth]


def check_strides(temporal_stride: int, spatial_stride: int) -> None:
    """Refuses strides that a stage cannot have.

    Raises:
        ConfigError: names them.
    """
    if (temporal_stride, spatial_stride) not in {(1, 1), (1, 2), (2, 2)}:
        raise ConfigError(
            f"a stage cannot stride by {temporal_stride} in time and {spatial_stride} in space",
            hint="strides are 1 or 2, and time is halved only together with space",
        )


def check_kernels(temporal_kernels: Sequence[int]) -> None:
    """Refuses even lengths of kernels over time, and none.

    Raises:
        ConfigError: names them.
    """
    if not temporal_kernels or any(length < 1 or length % 2 == 0 for length in temporal_kernels):
        raise ConfigError(f"temporal kernels have odd lengths, got {temporal_kernels}")


def check_entries(
    temporal_kernels: Sequence[Sequence[int]],
    spatial_strides: Sequence[int],
    temporal_strides: Sequence[int],
    stage_widths: Sequence[int],
) -> None:
    """Refuses arguments that do not have an entry per stage.

    Raises:
        ConfigError: names the argument.
    """
    check_four(
        temporal_kernels=temporal_kernels,
        spatial_strides=spatial_strides,
        temporal_strides=temporal_strides,
        stage_widths=stage_widths,
    )


def _depth(depth: int) -> None:
    blocks_of(depth)


def _kernels(temporal_kernels: Sequence[Sequence[int]]) -> None:
    for lengths in temporal_kernels:
        check_kernels(lengths)


def _strides(spatial_strides: Sequence[int], temporal_strides: Sequence[int]) -> None:
    for time, space in zip(temporal_strides, spatial_strides, strict=False):
        check_strides(time, space)


def _stem(stem_kernel_size: Sequence[int]) -> None:
    triple("stem_kernel_size", stem_kernel_size)


def _window(pool_kernel_size: Sequence[int] | None) -> None:
    if pool_kernel_size is not None:
        triple("pool_kernel_size", pool_kernel_size)


check_bottlenecks = rule_check(_depth, check_entries, _kernels, _strides, _stem)
_pooling = rule_check(_window)


def check_window_head(*subject: Any) -> None:
    """Checks a head that pools windows, before it is built."""
    check_head(*subject)
    _pooling(*subject)
