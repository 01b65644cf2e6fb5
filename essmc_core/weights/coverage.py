"""How much of a module, and of the weights, a load would use."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from torch import Tensor

# Counters of batch norm: harmless when absent, and old files do not have them.
_COUNTERS = ".num_batches_tracked"


def is_counter(key: str) -> bool:
    """Whether a key names a batch norm's counter of batches."""
    return f".{key}".endswith(_COUNTERS)


def coverage(expected: Mapping[str, Tensor], loaded: Collection[str], dropped: Collection[str]) -> float:
    """Share of the module's tensors that are loaded, in [0, 1].

    The smaller of two shares: by elements, where a few large tensors decide, and by tensors, where many small ones do
    (batch norm's statistics are under a percent of a network's elements, and it is useless without them).

    Args:
        expected: the module's tensors.
        loaded: keys that the weights fill.
        dropped: keys that are left out of the count.
    """
    counted = {key: tensor for key, tensor in expected.items() if key not in dropped and not is_counter(key)}
    if not counted:
        return 0.0
    filled = [key for key in counted if key in loaded]
    by_tensors = len(filled) / len(counted)
    elements = sum(tensor.numel() for tensor in counted.values())
    by_elements = sum(counted[key].numel() for key in filled) / elements if elements else 1.0
    return min(by_tensors, by_elements)


def usage(used: Iterable[Tensor], left_over: Mapping[str, Tensor], module_keys: Collection[str]) -> float:
    """Share of the weights' elements that find a place, in [0, 1].

    Left-over tensors count only where they continue a numbered series of the module (``layer3.6`` where the module ends
    at ``layer3.5``): the sign of another depth. A head, a decoder or a second branch is rightly left over.
    """
    places = _siblings(module_keys)
    excess = sum(tensor.numel() for key, tensor in left_over.items() if _continues_series(key, places))
    placed = sum(tensor.numel() for tensor in used)
    return placed / (placed + excess) if placed + excess else 1.0


def _siblings(keys: Iterable[str]) -> dict[str, set[str]]:
    """Maps each prefix of the module to the names below it."""
    below: dict[str, set[str]] = {}
    for key in keys:
        parts = key.split(".")
        for depth, part in enumerate(parts):
            below.setdefault(".".join(parts[:depth]), set()).add(part)
    return below


def _continues_series(key: str, places: Mapping[str, set[str]]) -> bool:
    parts = key.split(".")
    for depth, part in enumerate(parts):
        names = places.get(".".join(parts[:depth]), set())
        if part not in names:
            series = _unnumbered(part)
            return series != part and any(_unnumbered(name) == series for name in names)
    return False


def _unnumbered(name: str) -> str:
    return re.sub(r"\d+", "#", name)
