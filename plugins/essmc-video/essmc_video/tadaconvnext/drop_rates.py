"""How drop path grows with depth."""

from __future__ import annotations


def linear_rates(maximum: float, depth: int) -> list[float]:
    """Returns one rate per block, from 0 at the first to ``maximum`` at the last."""
    return [maximum * index / max(depth - 1, 1) for index in range(depth)]
