"""Sizes in time, height and width, and what is asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from essmc_core.errors import ConfigError

Triple = tuple[int, int, int]


def triple(name: str, sizes: Sequence[int]) -> Triple:
    """Returns (time, height, width).

    Raises:
        ConfigError: there are not three numbers.
    """
    if len(sizes) != 3:
        raise ConfigError(f"{name} is (time, height, width), got {sizes}")
    time, height, width = sizes
    return (time, height, width)


def check_four(**arguments: Sequence[Any]) -> None:
    """Refuses arguments that do not have an entry per stage.

    Raises:
        ConfigError: names the argument.
    """
    for name, entries in arguments.items():
        if len(entries) != 4:
            raise ConfigError(f"{name} has {len(entries)} entries", hint="give four, one per stage")


def check_positive(**arguments: int | float | Iterable[int | float]) -> None:
    """Refuses numbers, or sequences of numbers, that are not above 0.

    Raises:
        ConfigError: names the argument.
    """
    for name, numbers in arguments.items():
        if any(number <= 0 for number in ([numbers] if isinstance(numbers, (int, float)) else numbers)):
            raise ConfigError(f"{name} must be above 0, got {numbers}")


def check_shared(heads: int, width: int) -> None:
    """Refuses heads that do not divide a width.

    Raises:
        ConfigError: names both.
    """
    if heads < 1 or width % heads:
        raise ConfigError(
            f"{heads} heads cannot share {width} features", hint="let num_heads divide the number of features"
        )
