"""What the arguments of TAdaFormer must be, alone and together; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Sequence

from essmc_core.building.rules import rule_check
from essmc_core.errors import ConfigError
from essmc_video.networks.tadaconvnext.rules import check_route, check_time_kernels


def check_patches(input_size: int, patch_size: int) -> None:
    """Refuses a size that is not cut into whole patches.

    Raises:
        ConfigError: names both.
    """
    if patch_size < 1 or input_size % patch_size or input_size < patch_size:
        raise ConfigError(f"input_size is a multiple of the patch size {patch_size}, got {input_size}")


def check_kernels(tubelet_size: int, route_kernels: Sequence[int]) -> None:
    """Refuses even kernels over time."""
    check_time_kernels("tubelet_size", tubelet_size, route_kernels)


def check_heads(width: int, heads: int) -> None:
    """Refuses heads that do not divide the width.

    Raises:
        ConfigError: names both.
    """
    if heads < 1 or width % heads:
        raise ConfigError(f"{heads} heads do not divide a width of {width}")


def inner_width(width: int, reduction: int) -> int:
    """Returns the channels of the adaptive convolutions.

    Raises:
        ConfigError: none is left.
    """
    inner = width // reduction if reduction > 0 else 0
    if inner < 1:
        raise ConfigError(f"no channel is left of a width of {width} at a reduction of {reduction}")
    return inner


def _route(width: int, reduction: int, route_reduction: int, head_dim: int) -> None:
    check_route(inner_width(width, reduction), route_reduction, head_dim)


check_tadaformer = rule_check(check_patches, check_kernels, check_heads, _route)
