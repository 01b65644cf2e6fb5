"""What families have in common: counting what is numbered, and leaving out what is the default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from essmc_core.weights.layouts.layout import Shapes

Config = dict[str, Any]


def numbers(shapes: Shapes, front: str) -> list[int]:
    """Returns the numbers that follow a front in names, such as those of layers, in order."""
    found = {key.removeprefix(front).partition(".")[0] for key in shapes if key.startswith(front)}
    return sorted(int(number) for number in found if number.isdigit())


def without_defaults(arguments: Mapping[str, Any], defaults: Mapping[str, Any]) -> Config:
    """Returns the arguments that differ from what they are when they are not given."""
    return {name: value for name, value in arguments.items() if value != defaults.get(name)}


def shortest_cycle(lengths: list[int]) -> list[int]:
    """Returns the shortest list that is the given one when it is repeated, and cut at its length."""
    for size in range(1, len(lengths)):
        if all(length == lengths[place % size] for place, length in enumerate(lengths)):
            return lengths[:size]
    return lengths
