"""What the arguments of X3D must be; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Sequence

from essmc_core.building.rules import rule_check
from essmc_core.errors import ConfigError
from essmc_video.arguments.sizes import check_four, check_positive, triple


def check_arguments(
    stem_kernel_size: Sequence[int],
    stage_kernel_sizes: Sequence[Sequence[int]],
    spatial_strides: Sequence[int],
    temporal_strides: Sequence[int],
    shortcut_norm: str,
) -> None:
    """Refuses sequences without an entry per stage, and an unknown norm.

    Raises:
        ConfigError: names the argument.
    """
    if shortcut_norm not in ("widening", "always"):
        raise ConfigError(f"shortcut_norm is 'widening' or 'always', got {shortcut_norm!r}")
    check_four(
        stage_kernel_sizes=stage_kernel_sizes, spatial_strides=spatial_strides, temporal_strides=temporal_strides
    )
    for name, sizes in (
        ("stem_kernel_size", stem_kernel_size),
        *(("stage_kernel_sizes", s) for s in stage_kernel_sizes),
    ):
        check_positive(**{name: triple(name, sizes)})
    check_positive(spatial_strides=spatial_strides, temporal_strides=temporal_strides)


check_x3d = rule_check(check_arguments)
