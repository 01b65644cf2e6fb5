"""Stochastic depth (Huang et al., ECCV 2016): timm's layer, and how its rate grows with depth."""

from __future__ import annotations

from timm.layers.drop import DropPath

from essmc_core.errors import ConfigError

__all__ = ["DropPath", "linear_rates"]


def linear_rates(maximum: float, depth: int) -> list[float]:
    """Returns one rate per block, from 0 at the first to ``maximum`` at the last.

    Args:
        maximum: chance of dropping a residual branch, in [0, 1].
        depth: number of blocks.

    Raises:
        ConfigError: the chance is outside [0, 1], or there is no block.
    """
    if not 0 <= maximum <= 1:
        raise ConfigError(f"residual branches are dropped with a chance in [0, 1], got {maximum}")
    if depth < 1:
        raise ConfigError(f"a network of depth {depth} has no layer", hint="give a depth of at least 1")
    return [maximum * index / max(depth - 1, 1) for index in range(depth)]
