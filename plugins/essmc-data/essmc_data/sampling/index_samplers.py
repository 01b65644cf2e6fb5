"""In which order, and by which process, the items of a dataset are taken."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import torch
from torch.utils.data import Sampler

from essmc_core.errors import ConfigError
from essmc_data.sampling.randomness import mix


class MultiFoldDistributedSampler(Sampler[int]):
    """Gives each of several processes an equal share of the dataset, in an order drawn anew every epoch.

    Where the share does not come out even, the first items of the order are taken again. With one process it is an
    ordinary random or sequential sampler.

    Args:
        dataset: anything with a length.
        num_folds: how often an epoch goes through the dataset, each time in another order.
        num_replicas: processes.
        rank: number of this process.
        shuffle: whether the order is random.
        seed: of the order; the same in all processes.

    Raises:
        ConfigError: there are no items, or ``rank`` is not one of ``num_replicas``.
    """

    def __init__(
        self,
        dataset: Sized,
        num_folds: int = 1,
        num_replicas: int = 1,
        rank: int = 0,
        shuffle: bool = True,
        seed: int = 0,
    ) -> None:
        _check(dataset, rank, num_replicas)
        self.size = len(dataset)
        self.num_folds = num_folds
        self.num_replicas = num_replicas
        self.rank = rank
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0
        self.start = 0

    def set_seed(self, seed: int) -> None:
        """Sets the seed of the order."""
        self.seed = seed

    def set_process(self, rank: int, world: int) -> None:
        """Takes the part of one of several processes; raises as the constructor does."""
        _check_process(rank, world)
        self.rank, self.num_replicas = rank, world

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Sets the epoch, and how many items this process has taken of it already, to resume in its middle."""
        self.epoch = epoch
        self.start = start

    @property
    def share(self) -> int:
        """Items of a whole epoch in one process."""
        return -(-self.size * self.num_folds // self.num_replicas)

    def __len__(self) -> int:
        return max(0, self.share - self.start)

    def __iter__(self) -> Iterator[int]:
        order = torch.cat([self._fold(fold) for fold in range(self.num_folds)])
        total = self.share * self.num_replicas
        # A dataset smaller than the number of processes is repeated more than once.
        order = order.repeat(-(-total // len(order)))[:total]
        return iter(order[self.rank :: self.num_replicas][self.start :].tolist())

    def _fold(self, fold: int) -> torch.Tensor:
        if not self.shuffle:
            return torch.arange(self.size)
        drawn = int(mix(self.seed, self.epoch, fold)) >> 1
        return torch.randperm(self.size, generator=torch.Generator().manual_seed(drawn))


class EvalDistributedSampler(Sampler[int]):
    """Gives each process every ``num_replicas``-th item: each item exactly once, so that shares may differ by one.

    Args:
        dataset: anything with a length.
        num_replicas: processes.
        rank: number of this process.

    Raises:
        ConfigError: ``rank`` is not one of ``num_replicas``.
    """

    def __init__(self, dataset: Sized, num_replicas: int = 1, rank: int = 0) -> None:
        _check(dataset, rank, num_replicas)
        self.size = len(dataset)
        self.indices = range(rank, self.size, num_replicas)

    def set_process(self, rank: int, world: int) -> None:
        """Takes the part of one of several processes; raises as the constructor does."""
        _check_process(rank, world)
        self.indices = range(rank, self.size, world)

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)


def _check(dataset: Sized, rank: int, num_replicas: int) -> None:
    if not len(dataset):
        raise ConfigError("The dataset is empty.")
    _check_process(rank, num_replicas)


def _check_process(rank: int, num_replicas: int) -> None:
    if not 0 <= rank < num_replicas:
        raise ConfigError(f"rank={rank} is not one of {num_replicas} processes.")
