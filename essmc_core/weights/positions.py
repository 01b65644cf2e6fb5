"""Interpolates position embeddings in time and space to another grid than they were learned on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from essmc_core.weights.adapt_options import AdaptOptions
from essmc_core.weights.position_grid import Grid, axes_of, learned_grid, times
from essmc_core.weights.source import TimePositions

NAMES = ("pos_embd", "pos_embed", "pos_embedding", "positional_embedding", "position_embeddings")
MAX_PREFIX = 2
# If the module states its grid, the remaining tokens are class and register tokens.
MOST_STATED_PREFIX = 16
Resampling = Literal["bilinear", "bicubic"]
"""Interpolation between learned positions; ``bicubic`` is antialiased, as in timm."""


def position_grids(module: nn.Module) -> dict[str, Grid]:
    """Returns the grid of each position embedding that a submodule states, by state-dict key.

    A submodule states them by a method ``position_grids()`` that maps parameter names to (time, height, width).
    """
    grids: dict[str, Grid] = {}
    for path, part in module.named_modules():
        stated: Callable[[], dict[str, Grid]] | None = getattr(part, "position_grids", None)
        if callable(stated):
            grids |= {f"{path}.{name}" if path else name: grid for name, grid in stated().items()}
    return grids


def position_resampling(module: nn.Module) -> dict[str, Resampling]:
    """Returns how the position embeddings that a submodule states are resized in space, by state-dict key.

    A submodule whose position embeddings are not resized bilinearly has an attribute ``position_resampling``.
    """
    found: dict[str, Resampling] = {}
    for path, part in module.named_modules():
        stated: Callable[[], dict[str, Grid]] | None = getattr(part, "position_grids", None)
        how: Resampling | None = getattr(part, "position_resampling", None)
        if callable(stated) and how is not None:
            found |= {f"{path}.{name}" if path else name: how for name in stated()}
    return found


def picture_tables(module: nn.Module) -> frozenset[str]:
    """Returns the state-dict keys of position embeddings of image networks, which have no time dimension."""
    found: set[str] = set()
    for path, part in module.named_modules():
        stated: Callable[[], dict[str, Grid]] | None = getattr(part, "position_grids", None)
        if callable(stated) and getattr(part, "layout", None) == "NCHW":
            found |= {f"{path}.{name}" if path else name for name in stated()}
    return frozenset(found)


def resized_positions(
    key: str, given: Tensor, wanted: Tensor, options: AdaptOptions
) -> tuple[Tensor, str] | str | None:
    """Resizes position embeddings (1, prefix + t·h·w, D), or (prefix + t·h·w, D), to the module's grid.

    Those of class tokens are kept. Space is interpolated bilinearly (Dosovitskiy et al., "An Image is Worth 16x16
    Words", ICLR 2021, section 3.2) or as the module states, time by ``options.positions``; embeddings without time are
    repeated over time (Arnab et al., "ViViT", ICCV 2021, section 3.4). The module's grid is the one it states, or a
    square for parameters with a usual name. That of the weights is inferred by `essmc_core.weights.position_grid`.

    Returns:
        The position embedding and a note on the change, the reason why its grid is ambiguous, or None if it is not a
        position embedding.
    """
    tables = given.unsqueeze(0) if given.dim() == 2 else given
    if tables.dim() != 3 or wanted.dim() not in (2, 3) or tables.shape[0] != 1 or tables.shape[2] != wanted.shape[-1]:
        return None
    tokens = wanted.shape[-2]
    stated = options.grids.get(key)
    grid = stated or _square_by_name(key, tokens)
    most = MOST_STATED_PREFIX if stated else MAX_PREFIX
    if grid is None or not 0 <= (prefix := tokens - math.prod(grid)) <= most:
        return None
    axes = axes_of(key, options.grids) if stated and key not in options.pictures else "space"
    found = learned_grid(tables.shape[1] - prefix, grid, axes, told=options.position_grid, image=options.image)
    if isinstance(found, str):
        # A position embedding of the right size is kept, unless another grid is stated for it.
        return None if given.shape == wanted.shape else found
    learned, note = found
    if learned == grid:
        return None
    table = torch.unflatten(tables[:, prefix:], 1, learned)
    table = _resize_space(_resize_time(table, grid[0], options.positions), grid, options.resampling.get(key))
    resized = torch.cat([tables[:, :prefix], table.flatten(1, 3).to(given.dtype)], dim=1)
    return resized.reshape(wanted.shape), f"positions of {times(learned)} tokens resized to {times(grid)}{note}"


class ResizedPositions:
    """The rule of `resized_positions`, which applies to equal shapes too if another grid is stated."""

    def applies(self, given: Tensor, wanted: Tensor, options: AdaptOptions) -> bool:
        """Returns whether a tensor may have to be resized: equal numbers of positions may be on different grids."""
        return given.shape != wanted.shape or options.position_grid is not None

    def __call__(
        self, key: str, given: Tensor, wanted: Tensor, options: AdaptOptions
    ) -> tuple[Tensor, str] | str | None:
        """Resizes a position embedding; see `resized_positions`."""
        return resized_positions(key, given, wanted, options)


def _square_by_name(key: str, tokens: int) -> Grid | None:
    if key.rpartition(".")[2] not in NAMES:
        return None
    sides = (math.isqrt(tokens - prefix) for prefix in range(MAX_PREFIX + 1) if tokens > prefix)
    side = next((side for prefix, side in enumerate(sides) if side * side == tokens - prefix), None)
    return None if side is None else (1, side, side)


def _resize_time(table: Tensor, frames: int, how: TimePositions) -> Tensor:
    """Resizes t of a position embedding (1, t, h, w, D)."""
    learned = table.shape[1]
    if learned == frames:
        return table
    if how == "average":
        return table.float().mean(1, keepdim=True).expand(-1, frames, -1, -1, -1)
    if how == "centre":
        return table[:, learned // 2, None].expand(-1, frames, -1, -1, -1)
    if how == "repeat":
        return table[:, [step * learned // frames for step in range(frames)]]
    steps = table.float().flatten(2).transpose(1, 2)
    resized = functional.interpolate(steps, size=frames, mode="linear", align_corners=False)
    return torch.unflatten(resized.transpose(1, 2), 2, table.shape[2:])


def _resize_space(table: Tensor, grid: Grid, how: Resampling | None) -> Tensor:
    """Resizes h and w of a position embedding (1, t, h, w, D)."""
    if tuple(table.shape[2:4]) == grid[1:]:
        return table
    pictures = table.float().flatten(0, 1).permute(0, 3, 1, 2)
    resized = functional.interpolate(
        pictures, size=grid[1:], mode=how or "bilinear", align_corners=False, antialias=how == "bicubic"
    )
    return torch.unflatten(resized.permute(0, 2, 3, 1), 0, (1, -1))
