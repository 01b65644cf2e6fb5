"""Errors of loading processes, raised as they are; torch would raise another with the traceback as its message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch.utils.data import Dataset, IterableDataset

from essmc_core.errors import EssmcError

Collate = Callable[[list[Any]], Any]


def passing_errors(dataset: Dataset[Any], collate_fn: Collate) -> tuple[Dataset[Any], Collate]:
    """Returns a dataset and a collation for workers that give an `EssmcError` in the place of a batch.

    Args:
        dataset: whose items may raise it.
        collate_fn: makes a batch of items, and may raise it.
    """
    wrapped = _Stream(dataset) if isinstance(dataset, IterableDataset) else _Items(dataset)
    return wrapped, _Collate(collate_fn)


class _Items(Dataset[Any]):
    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        try:
            return self.dataset[index]
        except EssmcError as error:
            return error


class _Stream(IterableDataset[Any]):
    def __init__(self, dataset: IterableDataset[Any]) -> None:
        self.dataset = dataset

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self.dataset
        except EssmcError as error:
            yield error


class _Collate:
    def __init__(self, collate_fn: Collate) -> None:
        self.collate_fn = collate_fn

    def __call__(self, items: Any) -> Any:
        listed = items if isinstance(items, list) else [items]
        failed = next((item for item in listed if isinstance(item, EssmcError)), None)
        if failed is not None:
            return failed
        try:
            return self.collate_fn(items)
        except EssmcError as error:
            return error
