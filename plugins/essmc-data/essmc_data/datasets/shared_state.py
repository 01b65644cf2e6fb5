"""What the processes of one data loader have in common: seed, epoch, and counts of inputs that could not be read."""

from __future__ import annotations

import torch
from torch.utils.data import get_worker_info

_SEED, _EPOCH, _COUNTS = 0, 1, 2
_WORKERS = 64


class SharedState:
    """A tensor that, once shared, is the same memory in all workers, persistent ones included.

    Each worker counts in a place of its own, so that none overwrites another's count.

    Args:
        seed: of all randomness.
    """

    def __init__(self, seed: int = 0) -> None:
        self._values = torch.zeros(_COUNTS + 1 + _WORKERS, dtype=torch.int64)
        self.seed = seed

    def share(self) -> None:
        """Moves the values to shared memory; to be called before workers start."""
        self._values.share_memory_()  # type: ignore[no-untyped-call,unused-ignore]

    @property
    def seed(self) -> int:
        """Seed of all randomness."""
        return int(self._values[_SEED])

    @seed.setter
    def seed(self, seed: int) -> None:
        self._values[_SEED] = seed

    @property
    def epoch(self) -> int:
        """Number of the epoch, from which fresh randomness follows."""
        return int(self._values[_EPOCH])

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._values[_EPOCH] = epoch

    @property
    def bad_inputs(self) -> int:
        """How many inputs could not be read since the beginning."""
        return int(self._values[_COUNTS:].sum())

    def count_bad_input(self) -> None:
        """Adds one to the count of this process."""
        worker = get_worker_info()
        self._values[_COUNTS + (0 if worker is None else 1 + worker.id % _WORKERS)] += 1
