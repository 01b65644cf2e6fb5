"""Stochastic depth (Huang et al., ECCV 2016): timm's layer, and how its rate grows with depth."""

from __future__ import annotations

from torch import nn

from essmc_core.errors import ConfigError


def drop_path(rate: float) -> nn.Module:
    """Returns a layer that drops what comes in with a chance in training, sample by sample.

    Args:
        rate: the chance, in [0, 1].
    """
    if rate == 0:
        return nn.Identity()
    # Importing timm takes longer than importing torch, and most networks drop nothing.
    from timm.layers.drop import DropPath

    layer: nn.Module = DropPath(rate)
    return layer


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
