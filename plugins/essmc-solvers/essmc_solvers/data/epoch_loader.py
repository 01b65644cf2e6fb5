"""Batches of an epoch in an order that depends on seed and epoch alone, from any position, divided among processes."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from typing import Any

from torch.utils.data import DataLoader, IterableDataset

from essmc_solvers.data.batch import Batch, Share, batch_size_of, cut, read_batch
from essmc_solvers.data.worker_errors import passing_errors
from essmc_solvers.errors import DataError
from essmc_solvers.randomness import mixed_seed, seeded


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
    so a pass can be resumed at any batch without loading those before it. Streams, and loaders that are no
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
        self._indexed = self._with_planned_batches()
        self._streamed = self._stream_with_errors()

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
        return -(-batches // self.world)

    @property
    def length(self) -> int | None:
        """Number of batches of a pass, None for streams."""
        try:
            return len(self)
        except TypeError:
            return None

    @property
    def full_batch(self) -> int | None:
        """Items of a full batch of all processes together, None where the loader has no batch size."""
        sampler = getattr(self.loader, "batch_sampler", None)
        size = getattr(self.loader, "batch_size", None) or getattr(sampler, "batch_size", None)
        if not isinstance(size, int) or size < 1:
            return None
        return size if self.split_batches and self._indexed is not None else size * self.world

    @property
    def usual_size(self) -> float:
        """Items that one process has of a full batch, 1 where the loader has no batch size."""
        return 1.0 if self.full_batch is None else self.full_batch / self.world

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yields the batches of a pass.

        Args:
            epoch: number of the pass, which datasets and samplers with ``set_epoch`` are given.
            start: batches to leave out.
        """
        set_epoch = getattr(self.dataset, "set_epoch", None)
        if set_epoch is not None:
            set_epoch(epoch)
        return self._read_indexed(epoch, start) if self._indexed is not None else self._read_stream(epoch, start)

    def fetch(self, epoch: int, index: int) -> Any:
        """Returns one batch of a pass again, None where single batches cannot be loaded."""
        if self._indexed is None:
            return None
        indices, _ = self._divided(epoch)[index]
        loaded = self._indexed.collate_fn([self._indexed.dataset[item] for item in indices])
        return read_batch(index, loaded, None, False).data

    def single(self, epoch: int) -> tuple[int, int] | None:
        """Returns the first batch of a pass of which this process sees one item alone, and the number of batches.

        Returns:
            None where there is none, or the data are a stream, whose batches are not known beforehand.
        """
        if self._indexed is None:
            return None
        planned = self._divided(epoch)
        return next(((index, len(planned)) for index, (part, _) in enumerate(planned) if len(part) == 1), None)

    def _read_indexed(self, epoch: int, start: int) -> Iterator[Batch]:
        assert self._indexed is not None
        planned = self._divided(epoch)[start:]
        self._plan.batches = [indices for indices, _ in planned]
        with seeded(mixed_seed(self.seed, epoch, start)):  # workers take their seeds from here
            loaded = iter(self._indexed)
        readable = not planned
        for index, (_, share) in enumerate(planned, start=start):
            batch = read_batch(index, next(loaded), share, index + 1 == start + len(planned))
            readable |= batch.data is not None
            yield batch
        if not readable:
            raise DataError("no batch of this pass could be read", hint="The warnings above name the files.")

    def _read_stream(self, epoch: int, start: int) -> Iterator[Batch]:
        with seeded(mixed_seed(self.seed, epoch)):
            loaded = iter(self.loader if self._streamed is None else self._streamed)
        groups = iter(lambda: tuple(itertools.islice(loaded, self.world)), ())
        following = itertools.chain(itertools.islice(groups, start, None), [None])
        readable = start > 0
        for index, (group, after) in enumerate(itertools.pairwise(following), start=start):
            assert group is not None
            batch = self._own_of(index, group, after is None)
            readable |= batch.data is not None
            yield batch
        if not readable:
            raise DataError(
                "no batch of this pass could be read",
                hint="The data are an iterator, which can be read once: give what can be read anew, as a DataLoader."
                if isinstance(self.loader, Iterator)
                else "The warnings above name the files; where there are none, the stream is empty.",
            )

    def _own_of(self, index: int, group: tuple[Any, ...], is_last: bool) -> Batch:
        """Returns this process's batch of a group; where the last group has none for it, the first one of the group."""
        if len(group) == self.world:
            return read_batch(index, group[self.rank], None, is_last)
        sizes = [batch_size_of(loaded) for loaded in group]
        if self.rank < len(group):
            return read_batch(index, group[self.rank], Share(sizes[self.rank], sum(sizes)), is_last)
        return read_batch(index, group[0], Share(0, sum(sizes)), is_last)

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
            return [self._part_of(cut(batch, self.world)) for batch in batches]
        groups = [batches[first : first + self.world] for first in range(0, len(batches), self.world)]
        return [self._part_of([*group, *[[]] * (self.world - len(group))]) for group in groups]

    def _part_of(self, parts: Sequence[Sequence[Any]]) -> tuple[Sequence[Any], Share]:
        own = parts[self.rank]
        return own or parts[0], Share(len(own), sum(map(len, parts)))

    def _with_planned_batches(self) -> DataLoader[Any] | None:
        """Returns a loader of the same kind whose batches are planned, None where batches are not made of indices."""
        loader = self.loader
        if not isinstance(loader, DataLoader) or self._is_stream or loader.batch_sampler is None:
            return None
        return _like(loader, batch_sampler=self._plan)

    def _stream_with_errors(self) -> DataLoader[Any] | None:
        """Returns a loader of the same stream whose workers pass on their errors; None where it is no DataLoader."""
        if not isinstance(self.loader, DataLoader) or not self._is_stream:
            return None
        return _like(self.loader, batch_size=self.loader.batch_size, drop_last=self.loader.drop_last)

    @property
    def _is_stream(self) -> bool:
        return isinstance(self.dataset, IterableDataset)

    @property
    def readers(self) -> int | None:
        """Processes that read a stream, on whose number its order depends; None where the order does not."""
        if self._indexed is not None:
            return None
        return self.world * max(1, getattr(self.loader, "num_workers", 0))


def _like(loader: DataLoader[Any], **batches: Any) -> DataLoader[Any]:
    """Returns a loader of the same data with the same workers."""
    workers: dict[str, Any] = {}
    dataset, collate_fn, prepare = loader.dataset, loader.collate_fn, loader.worker_init_fn
    if loader.num_workers:
        # Workers that outlive an epoch keep the dataset as it was, unless it shares its epoch with them.
        follows = hasattr(dataset, "share") or not hasattr(dataset, "set_epoch")
        workers = {
            "prefetch_factor": loader.prefetch_factor,
            "persistent_workers": loader.persistent_workers and follows,
            "multiprocessing_context": loader.multiprocessing_context,
            "timeout": loader.timeout,
        }
        dataset, collate_fn = passing_errors(dataset, collate_fn)
        prepare = _Prepare(prepare)
    return DataLoader(
        dataset,
        num_workers=loader.num_workers,
        collate_fn=collate_fn,
        pin_memory=loader.pin_memory,
        worker_init_fn=prepare,
        **batches,
        **workers,
    )


class _Prepare:
    """Lets workers ignore Ctrl-C, which reaches all processes of a terminal: the main process ends them."""

    def __init__(self, prepare: Callable[[int], None] | None) -> None:
        self.prepare = prepare

    def __call__(self, worker: int) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if self.prepare is not None:
            self.prepare(worker)


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
