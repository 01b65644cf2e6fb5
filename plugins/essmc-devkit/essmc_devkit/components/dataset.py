"""Checks of data sets: length, items, pickling, worker processes."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from essmc_devkit.components.check import NotChecked, brief, check
from essmc_devkit.components.copying import run_elsewhere
from essmc_devkit.components.outputs import difference
from essmc_devkit.components.subject import Subject
from essmc_devkit.problem import Problem


class DatasetSubject(Subject):
    """A data set.

    Args:
        config: its name, or a mapping with ``type`` and arguments, files that exist among them.
    """

    def __init__(self, config: str | Mapping[str, Any]) -> None:
        super().__init__("datasets", config)

    def usage(self, made: Any) -> Callable[[], object]:
        """Returns the reading of an item."""
        return lambda: made[0] if hasattr(type(made), "__getitem__") else None

    @property
    def indexed(self) -> Any:
        """The data set, if its items have numbers.

        Raises:
            NotChecked: it is read as a stream, or has no items.
        """
        if not hasattr(type(self.built), "__getitem__") or not hasattr(type(self.built), "__len__"):
            raise NotChecked("its items have no numbers")
        if not len(self.built):
            raise NotChecked("it has no items")
        return self.built


@check("dataset.items")
def items(subject: DatasetSubject) -> Iterator[Problem]:
    """It has items, as many as its length says, or can be iterated over."""
    built: Any = subject.built
    if not hasattr(type(built), "__getitem__"):
        if next(iter(built), None) is None:
            yield Problem("it yields no items", "check its list of files")
        return
    if not hasattr(type(built), "__len__"):
        yield Problem("it has no length", "define __len__, which samplers need")
        return
    if not len(built):
        yield Problem("it has no items", "raise an error that names the list or folder where nothing was found")
        return
    for index in (0, len(built) - 1):
        _seeded(built, index)
    try:
        built[len(built)]
    except IndexError:
        return
    except Exception as error:
        yield Problem(f"an index beyond the last raises {brief(error, 80)}", "raise IndexError")
        return
    yield Problem("an index beyond the last is accepted", "raise IndexError")


@check("dataset.repeated")
def repeated(subject: DatasetSubject) -> Iterator[Problem]:
    """An item is the same under the same seed."""
    built = subject.indexed
    if words := difference(_seeded(built, 0), _seeded(built, 0), rtol=0, atol=0):
        yield Problem(f"item 0 read twice, {words}", "copy what is kept, and draw from torch's random numbers alone")


@check("dataset.workers")
def workers(subject: DatasetSubject) -> Iterator[Problem]:
    """A worker process, to which it is pickled, reads the same items."""
    built = subject.indexed
    try:
        sent = pickle.dumps(built)
    except Exception as error:
        yield Problem(f"cannot be pickled: {brief(error)}", "open files when an item is read, not in the constructor")
        return
    try:
        found = run_elsewhere(_read, sent, 0)
    except Exception as error:
        yield Problem(f"in a worker process: {brief(error)}", "import what it needs in the module that defines it")
        return
    if words := difference(found, _seeded(built, 0), rtol=0, atol=0):
        yield Problem(f"in a worker process, {words}")


@check("dataset.batches")
def batches(subject: DatasetSubject) -> Iterator[Problem]:
    """Items of one data set have the same keys, so that a loader can make a batch of them."""
    built = subject.indexed
    first, last = _seeded(built, 0), _seeded(built, len(built) - 1)
    if isinstance(first, Mapping) and isinstance(last, Mapping) and set(first) != set(last):
        yield Problem(f"items differ in their keys: {', '.join(sorted(set(first) ^ set(last), key=str))}")


ALL = (items, repeated, workers, batches)


def _seeded(built: Any, index: int) -> Any:
    import random

    random.seed(0)
    torch.manual_seed(0)
    return built[index]


def _read(sent: bytes, index: int) -> Any:
    return _seeded(pickle.loads(sent), index)
