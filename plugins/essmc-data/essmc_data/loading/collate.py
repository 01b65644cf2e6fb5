"""From items to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from essmc_core.errors import InputError
from essmc_data.item import META, UNREADABLE, Item, file_of


def collate(batch: Sequence[Item | None]) -> Item:
    """Stacks the values of items by their keys.

    Tensors, arrays and numbers are stacked, mappings are collated key by key, ``meta`` and everything else become
    lists, and None stays None where all items have None. Items that were skipped are left out and counted under
    ``unreadable`` in the ``meta`` of the first that was not.

    Args:
        batch: items with the same keys; None for one that could not be read.

    Returns:
        The batch; where every item was skipped, one of ``meta`` alone, which holds their number.

    Raises:
        InputError: items do not fit together; names their files.
    """
    items = [item for item in batch if item is not None and not _is_count(item)]
    skipped = sum(1 if item is None else item[META][UNREADABLE] for item in batch if item is None or _is_count(item))
    if not items:
        return {META: [{UNREADABLE: skipped}]}
    if skipped and META in items[0]:
        before = items[0][META].get(UNREADABLE, 0)
        items[0] = {**items[0], META: {**items[0][META], UNREADABLE: before + skipped}}
    keys = items[0].keys()
    for item in items:
        if item.keys() != keys:
            differing = f"{', '.join(map(str, item))} instead of {', '.join(map(str, keys))}"
            raise InputError(f"Items of one batch differ in their values: {_names(item, items[0])}: {differing}.")
    return {key: _merge(key, [item[key] for item in items], items) for key in keys}


def has_inputs(batch: object) -> bool:
    """Tells a batch from the count of inputs of which none could be read."""
    return not (batch is None or (isinstance(batch, Mapping) and set(batch) == {META}))


def _is_count(item: Item) -> bool:
    return set(item) == {META} and set(item[META]) == {UNREADABLE}


def _merge(key: str, values: list[Any], items: Sequence[Item]) -> Any:
    if key == META:
        return values
    if all(value is None for value in values):
        return None
    first, kind = values[0], _kind(values[0])
    for value, item in zip(values, items, strict=True):
        if _kind(value) != kind:
            found = f"{_described(first)} and {_described(value)}"
            raise InputError(f"{key!r} is {found} in one batch: {_names(items[0], item)}.", hint=_hint(kind))
    if isinstance(first, Mapping):
        return {inner: _merge(inner, [value[inner] for value in values], items) for inner in first}
    if isinstance(first, (Tensor, np.ndarray)):
        try:
            # torch's own collation writes to shared memory in workers, which saves a copy.
            return default_collate(values)
        except (TypeError, RuntimeError, ValueError) as error:
            raise InputError(f"{key!r} cannot be stacked: {error}: {_names(items[0])}.") from error
    if isinstance(first, (bool, int, float)):
        try:
            return torch.tensor(values)
        except (RuntimeError, OverflowError, ValueError) as error:
            raise InputError(f"{key!r} has a number beyond all bounds: {_names(*items)}.") from error
    return values


def _kind(value: Any) -> tuple[Any, ...]:
    """Returns what the values of a batch must have in common."""
    if isinstance(value, Tensor):
        return "tensor", value.dtype, tuple(value.shape)
    if isinstance(value, np.ndarray):
        return "array", value.dtype, value.shape
    if isinstance(value, Mapping):
        return "mapping", frozenset(value)
    if isinstance(value, (bool, int, float)):
        return ("number",)
    return ("nothing",) if value is None else ("other",)


def _described(value: Any) -> str:
    if isinstance(value, (Tensor, np.ndarray)):
        return f"{tuple(value.shape)} of {value.dtype}"
    if isinstance(value, Mapping):
        return f"a mapping with {', '.join(map(str, value)) or 'nothing'}"
    return "nothing" if value is None else f"a {type(value).__name__}"


def _hint(kind: tuple[Any, ...]) -> str:
    return "Crop or resize to one size in the pipeline." if len(kind) == 3 and len(kind[2]) > 1 else ""


def _names(*items: Item) -> str:
    return ", ".join(map(file_of, items))
