"""Infers the grid of a position embedding in weights, of which only the number of tokens is known.

Many grids have the same number of tokens: 16 frames of 7x7, 4 of 14x14 and one of 28x28. A candidate that changes
either the number of frames or the size, not both, is used if it is the only one; otherwise the grid must be stated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

Grid = tuple[int, int, int]
"""Tokens along time, height and width; 1 if a position embedding has no such dimension."""

Axes = Literal["both", "time", "space"]
_LISTED = 12


def axes_of(key: str, grids: Mapping[str, Grid]) -> Axes:
    """Returns the axes of a position embedding; a submodule may have one for space and another for time.

    Args:
        key: state-dict key of the position embedding.
        grids: the grids that the module states, by key.
    """
    front = key.rpartition(".")[0]
    beside = [grid for other, grid in grids.items() if other != key and other.rpartition(".")[0] == front]
    if len(beside) != 1:
        return "both"
    mine, other = grids[key], beside[0]
    if _is_time(mine) and _is_space(other) and (mine[0] > 1 or _places(other) > 1):
        return "time"
    if _is_space(mine) and _is_time(other) and (_places(mine) > 1 or other[0] > 1):
        return "space"
    return "both"


def learned_grid(
    count: int, wanted: Grid, axes: Axes = "both", *, told: Sequence[int] | None = None, image: bool = False
) -> tuple[Grid, str] | str:
    """Returns the grid of ``count`` position embeddings and a note on other candidates, or why it is ambiguous.

    Candidate sizes are squares and rectangles of the module's own aspect ratio; for image weights squares come first.

    Args:
        count: tokens of the position embedding, without class tokens.
        wanted: the module's grid.
        axes: the axes of the position embedding.
        told: (time, height, width) of the weights.
        image: whether the weights are those of an image network, whose position embeddings have one frame.
    """
    if count < 1:
        return "it has no positions but those of class tokens"
    if told is not None:
        return _told(count, wanted, axes, (told[0], told[1], told[2]))
    if count == math.prod(wanted):
        return wanted, ""
    if axes == "time":
        return (count, 1, 1), ""
    if axes == "space" or image:
        sizes = _sized(1, count, wanted)
        return _only(sizes[:1], sizes[1:], count)
    longer = [(count // _places(wanted), *wanted[1:])] if count % _places(wanted) == 0 else []
    larger = _sized(wanted[0], count // wanted[0], wanted) if count % wanted[0] == 0 else []
    others = [
        grid
        for frames in range(2, count // 4 + 1)
        if count % frames == 0
        for grid in _sized(frames, count // frames, wanted)
        if grid not in (*longer, *larger)
    ]
    pictures = [] if wanted[0] == 1 else _sized(1, count, wanted)
    if wanted[0] > 1 and longer and longer[0][0] == 1 and (larger or others):
        # For a clip, grids of one frame are candidates only if no other grid is.
        pictures, longer = list(dict.fromkeys([*longer, *pictures])), []
    return _only([*longer, *larger], [*others, *(grid for grid in pictures if grid not in longer)], count)


def times(grid: Grid) -> str:
    """Returns a grid as text."""
    return "x".join(map(str, grid))


def _told(count: int, wanted: Grid, axes: Axes, told: Grid) -> tuple[Grid, str] | str:
    frames, height, width = told
    over_space, over_time = (1, height, width), (frames, 1, 1)
    choices = {"space": [over_space], "time": [over_time], "both": [told]}[axes]
    if axes == "both" and math.prod(told) != count:
        choices = [over_space, over_time] if _is_time(wanted) else [over_space]
    found = list(dict.fromkeys(grid for grid in choices if math.prod(grid) == count))
    if len(found) > 1 and wanted[0] > 1:
        found = [over_time]
    if not found:
        return f"position_grid {times(told)} does not explain its {count} positions"
    return _only(found, [], count)


def _only(readings: list[Grid], others: list[Grid], count: int) -> tuple[Grid, str] | str:
    """Returns the only candidate and a note on the others, or that there is none or more than one."""
    named = _listed(others)
    if len(readings) == 1:
        return readings[0], f" (position_grid settles whether they were {named})" if others else ""
    if not readings and not others:
        return f"{count} positions are no grid that is known; position_grid says how they are laid out"
    return f"{count} positions could be of {_listed([*readings, *others])} tokens; position_grid settles which"


def _sized(frames: int, places: int, wanted: Grid) -> list[Grid]:
    """Returns the grids of so many frames and positions per frame that are square or have the module's aspect ratio."""
    _, height, width = wanted
    side = math.isqrt(places)
    square = (frames, side, side)
    divisor = math.gcd(height, width)
    rows, columns = height // divisor, width // divisor
    scale = math.isqrt(places // (rows * columns))
    alike = (frames, scale * rows, scale * columns)
    first, second = (alike, square) if places == height * width else (square, alike)
    return [grid for grid in dict.fromkeys((first, second)) if grid[1] * grid[2] == places]


def _listed(grids: Sequence[Grid]) -> str:
    shown = [times(grid) for grid in grids[:_LISTED]]
    return " or ".join([*shown, "others"] if len(grids) > _LISTED else shown)


def _is_time(grid: Grid) -> bool:
    return _places(grid) == 1


def _is_space(grid: Grid) -> bool:
    return grid[0] == 1


def _places(grid: Grid) -> int:
    return grid[1] * grid[2]
