"""Arithmetic of X3D's widths and depths."""

from __future__ import annotations

import math


def round_width(width: float, multiplier: float | None, divisor: int = 8, minimum: int = 8) -> int:
    """Returns the multiple of ``divisor`` next to ``width * multiplier`` that is no more than a tenth below it.

    Args:
        width: channels.
        multiplier: factor on them; None and 0 return ``width`` itself.
        divisor: what the result is a multiple of.
        minimum: the least result.
    """
    if not multiplier:
        return int(width)
    wanted = width * multiplier
    rounded = max(minimum, int(wanted + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * wanted else rounded


def round_depth(blocks: int, multiplier: float | None) -> int:
    """Returns ``blocks * multiplier``, rounded up; None and 0 return ``blocks`` itself."""
    return math.ceil(multiplier * blocks) if multiplier else blocks
