"""What the arguments of TAdaConvNeXtV2 and of its route functions must be; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Sequence

from essmc_core.building.rules import rule_check
from essmc_core.errors import ConfigError


def check_route(channels: int, reduction: int, head_dim: int) -> None:
    """Refuses widths that attention heads of a route function do not divide.

    Raises:
        ConfigError: names the widths.
    """
    inner = channels // reduction if reduction > 0 else 0
    if inner < 1 or head_dim < 1 or inner % head_dim:
        raise ConfigError(
            f"{channels} channels at a reduction of {reduction} leave {inner}, no multiple of head_dim={head_dim}",
            hint="choose a head_dim that divides every width after the reduction",
        )


def check_time_kernels(name: str, size: int, route_kernels: Sequence[int]) -> None:
    """Refuses even kernels over time, and other than two of a route function.

    Raises:
        ConfigError: names them.
    """
    if len(route_kernels) != 2 or any(length < 1 or length % 2 == 0 for length in (size, *route_kernels)):
        raise ConfigError(
            f"kernels over time are odd, and a route function has two; "
            f"got {name}={size} and route_kernels={tuple(route_kernels)}"
        )


def check_stages(depths: Sequence[int], widths: Sequence[int]) -> None:
    """Refuses other than four stages.

    Raises:
        ConfigError: names what there is.
    """
    if len(depths) != 4 or len(widths) != 4:
        raise ConfigError(
            f"TAdaConvNeXtV2 has four stages, got depths={tuple(depths)} and widths={tuple(widths)}",
            hint="give four numbers each",
        )
    if min(depths) < 0 or sum(depths) < 1:
        raise ConfigError(f"depths are numbers of blocks, got {tuple(depths)}")


def check_stem(stem_kernel: int, route_kernels: Sequence[int]) -> None:
    """Refuses even kernels over time."""
    check_time_kernels("stem_kernel", stem_kernel, route_kernels)


def _routes(depths: Sequence[int], widths: Sequence[int], route_reduction: int, head_dim: int) -> None:
    for depth, width in zip(depths, widths, strict=False):
        if depth > 0:
            check_route(width, route_reduction, head_dim)


check_tadaconvnext = rule_check(check_stages, check_stem, _routes)
