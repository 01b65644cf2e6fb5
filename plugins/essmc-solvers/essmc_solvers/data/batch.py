"""A batch of training or evaluation, and what of it counts in each process."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from essmc_core.errors import EssmcError


@dataclass(slots=True)
class Share:
    """What one process has of a batch that is divided.

    Attributes:
        own: items that count here. Where it is 0 the batch holds items of another process, so that all processes make
            the same steps.
        total: items that count in all processes together.
    """

    own: int
    total: int


@dataclass(slots=True)
class Batch:
    """A batch as the loader gave it.

    Attributes:
        index: its place in the pass.
        data: inputs by name, tensors on the CPU; None where none of its items could be read.
        share: this process's part; None where nothing was divided.
        is_last: whether the pass over the data ends with it.
        unreadable: inputs of this process's part that could not be read.
    """

    index: int
    data: Any
    share: Share | None
    is_last: bool
    unreadable: int = 0

    def count(self, size: int) -> tuple[int, int]:
        """Returns how many items count here, and in all processes.

        Args:
            size: how many the model saw; fewer than planned, where some could not be read.
        """
        if self.share is None:
            return size, size
        return (size, self.share.total) if self.share.own else (0, self.share.total)


def read_batch(index: int, loaded: Any, share: Share | None, is_last: bool) -> Batch:
    """Returns what a loader gave as a batch.

    Raises:
        EssmcError: a worker could not go on.
    """
    if isinstance(loaded, EssmcError):
        raise loaded
    metas = loaded.get("meta") if isinstance(loaded, Mapping) else None
    if not isinstance(metas, (list, tuple)) or (share is not None and not share.own):
        metas = ()
    unreadable = sum(meta.get("unreadable", 0) for meta in metas if isinstance(meta, Mapping))
    # Of inputs that were all skipped, loaders give nothing, or the count alone.
    data = None if isinstance(loaded, Mapping) and set(loaded) == {"meta"} else loaded
    return Batch(index, data, share, is_last, unreadable)


def batch_size_of(loaded: Any) -> int:
    """Returns the number of items of a batch."""
    values = loaded.values() if isinstance(loaded, Mapping) else ()
    return next((int(value.shape[0]) for value in values if isinstance(value, Tensor) and value.ndim), 0)


def cut(batch: Sequence[Any], parts: int) -> list[Sequence[Any]]:
    """Cuts into parts whose lengths differ by one at most."""
    bounds = [len(batch) * part // parts for part in range(parts + 1)]
    cut = [batch[low:high] for low, high in itertools.pairwise(bounds)]
    # Longer parts first: the first part replaces one that is empty, so it must not be empty itself.
    return sorted(cut, key=len, reverse=True)
