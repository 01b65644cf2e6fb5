"""Batches of an epoch in an order that depends on seed and epoch alone, from any position, divided among processes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader, IterableDataset

from essmc_solvers.checkpoint.randomness import mixed_seed, seeded
from essmc_solvers.errors import DataError


@dataclass(slots=True)
class Share:
    """What one process has of a batch that is divided.

    Attributes:
        own: items that count here. Where it is 0 the batch holds stand-ins, so that processes stay in step.
        total: items that count in all processes together.
    """

    own: int
    total: int


@dataclass(slots=True)
class Batch:
    """A batch as the loader gave it.

    Attributes:
        index: its place in the pass.
        data: inputs by name, tensors on the CPU; None where the loader could read none of its items.
        share: this process's part; None where nothing was divided.
        is_last: whether the pass over the data ends with it.
    """

    index: int
    data: Any
    share: Share | None
    is_last: bool

    def count(self, size: int) -> tuple[int, int]:
        """Returns how many items count here, and in all processes.

        Args:
            size: how many the model saw; fewer than planned, where some could not be read.
        """
        if self.share is None:
            return size, size
        return (size, self.share.total) if self.share.own else (0, self.share.total)


class _Planned:
    """A batch sampler that yields what was planned for the coming pass."""

    def __init__(self) -> None:
        self.batches: Sequence[Sequence[Any]] = ()

    def __iter__(self) -> Iterator[Sequence[Any]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class EpochLoader:
    """Passes over a loader's data.

    The order of a map-style dataset is drawn anew for each pass from (seed, epoch), whatever else uses random numbers,
    so a pass can be taken up at any batch without loading those before it. Streams, and loaders that are no
    `torch.utils.data.DataLoader`, are read from the start up to that batch.

    Args:
        loader: a DataLoader, or any iterable of batches. Batches are dicts.
        seed: of the order.
        rank: number of this process.
        world: number of processes. A loader whose sampler has ``num_replicas`` above 1 divides the data itself.
        split_batches: divide each batch among the processes, so that their number does not change the training;
            otherwise each process takes whole batches in turn, and ``world`` of them make one step.
    """

    def __init__(
        self, loader: Iterable[Any], *, seed: int = 0, rank: int = 0, world: int = 1, split_batches: bool = True
    ) -> None:
        self.loader = loader
        self.dataset = getattr(loader, "dataset", None)
        self.seed = seed
        self.split_batches = split_batches
        divides_itself = any(getattr(sampler, "num_replicas", 1) > 1 for sampler in self.samplers())
        self.rank, self.world = (0, 1) if divides_itself else (rank, world)
        self._plan = _Planned()
        self._indexed = self._with_planned_batches(loader)

    def samplers(self) -> list[Any]:
        """Returns the sampler objects of the loader, outermost first."""
        outer = [getattr(self.loader, name, None) for name in ("batch_sampler", "sampler")]
        inner = [getattr(sampler, "sampler", None) for sampler in outer]
        return [sampler for sampler in (*outer, *inner) if sampler is not None]

    def __len__(self) -> int:
        """Number of batches of a pass in each process.

        Raises:
            TypeError: the loader does not know.
        """
        if not isinstance(self.loader, Sized):
            raise TypeError("the loader has no length")
        batches = len(self.loader)
        if self.world == 1 or (self.split_batches and self._indexed is not None):
            return batches
        return -(-batches // self.world) if self._indexed is not None else batches // self.world

    @property
    def length(self) -> int | None:
        """Number of batches of a pass, None for streams."""
        try:
            return len(self)
        except TypeError:
            return None

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yields the batches of a pass.

        Args:
            epoch: which pass; datasets and samplers with ``set_epoch`` are told.
            start: batches to leave out.
        """
        set_epoch = getattr(self.dataset, "set_epoch", None)
        if set_epoch is not None:
            set_epoch(epoch)
        return self._read_indexed(epoch, start) if self._indexed is not None else self._read_stream(epoch, start)

    def fetch(self, epoch: int, index: int) -> Any:
        """Returns one batch of a pass again, None where the data cannot be taken up there."""
        if self._indexed is None:
            return None
        indices, _ = self._divided(epoch)[index]
        return self._indexed.collate_fn([self._indexed.dataset[item] for item in indices])

    def _read_indexed(self, epoch: int, start: int) -> Iterator[Batch]:
        assert self._indexed is not None
        planned = self._divided(epoch)[start:]
        self._plan.batches = [indices for indices, _ in planned]
        with seeded(mixed_seed(self.seed, epoch, start)):  # workers take their seeds from here
            loaded = iter(self._indexed)
        readable = not planned
        for index, (_, share) in enumerate(planned, start=start):
            data = next(loaded)
            readable |= data is not None
            yield Batch(index, data, share, index + 1 == start + len(planned))
        if not readable:
            raise DataError("no batch of this pass could be read", hint="The warnings above name the files.")

    def _read_stream(self, epoch: int, start: int) -> Iterator[Batch]:
        with seeded(mixed_seed(self.seed, epoch)):
            loaded = iter(self.loader)
        groups = iter(lambda: tuple(itertools.islice(loaded, self.world)), ())
        # An incomplete group would leave some process without a batch.
        whole = (group[self.rank] for group in groups if len(group) == self.world)
        following = itertools.islice(whole, start, None)
        held = next(following, None)
        for index in itertools.count(start):
            if held is None:
                return
            current, held = held, next(following, None)
            yield Batch(index, current, None, held is None)

    def _divided(self, epoch: int) -> list[tuple[Sequence[Any], Share | None]]:
        """Returns this process's part of each batch of a pass."""
        assert self._indexed is not None
        seed = mixed_seed(self.seed, epoch)
        for sampler in self.samplers():
            if hasattr(sampler, "set_epoch"):
                sampler.set_epoch(epoch)
            if getattr(sampler, "generator", None) is not None:
                sampler.generator.manual_seed(seed)
        with seeded(seed):
            batches = [list(batch) for batch in self.loader.batch_sampler]  # type: ignore[attr-defined]
        if self.world == 1:
            return [(batch, None) for batch in batches]
        if self.split_batches:
            return [self._part_of(_cut(batch, self.world)) for batch in batches]
        groups = [batches[first : first + self.world] for first in range(0, len(batches), self.world)]
        return [self._part_of([*group, *[[]] * (self.world - len(group))]) for group in groups]

    def _part_of(self, parts: Sequence[Sequence[Any]]) -> tuple[Sequence[Any], Share]:
        own = parts[self.rank]
        return own or parts[0], Share(len(own), sum(map(len, parts)))

    def _with_planned_batches(self, loader: Iterable[Any]) -> DataLoader[Any] | None:
        """Returns a loader of the same kind whose batches are planned, None where batches are not made of indices."""
        if not isinstance(loader, DataLoader):
            return None
        if isinstance(loader.dataset, IterableDataset) or loader.batch_sampler is None:
            return None
        workers: dict[str, Any] = {}
        if loader.num_workers:
            # Workers that outlive an epoch keep the dataset as it was, unless it shares its epoch with them.
            follows = hasattr(loader.dataset, "share") or not hasattr(loader.dataset, "set_epoch")
            persistent = loader.persistent_workers and follows
            workers = {
                "prefetch_factor": loader.prefetch_factor,
                "persistent_workers": persistent,
                "multiprocessing_context": loader.multiprocessing_context,
                "timeout": loader.timeout,
            }
        return DataLoader(
            loader.dataset,
            batch_sampler=self._plan,  # type: ignore[arg-type]
            num_workers=loader.num_workers,
            collate_fn=loader.collate_fn,
            pin_memory=loader.pin_memory,
            worker_init_fn=loader.worker_init_fn,
            **workers,
        )


def check_not_empty(loader: EpochLoader, name: str) -> None:
    """Refuses data without a single batch.

    Raises:
        DataError: there is none.
    """
    if loader.length == 0:
        size = len(loader.dataset) if isinstance(loader.dataset, Sized) else 0
        raise DataError(
            f"the {name} data make no batch: the dataset has {size} items",
            hint="drop_last leaves out a batch that is not full." if size else "Check the dataset's folder and files.",
        )


def _cut(batch: Sequence[Any], parts: int) -> list[Sequence[Any]]:
    """Cuts into parts whose lengths differ by one at most."""
    bounds = [len(batch) * part // parts for part in range(parts + 1)]
    cut = [batch[low:high] for low, high in itertools.pairwise(bounds)]
    # Longer parts first: the first part stands in where another is empty, so it must not be.
    return sorted(cut, key=len, reverse=True)
