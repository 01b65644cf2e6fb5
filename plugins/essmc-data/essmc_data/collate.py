"""From items to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from essmc_core.errors import InputError
from essmc_data.transforms.base import Item

META = "meta"
UNREADABLE = "unreadable"
"""Entry of an item's ``meta``: how many inputs could not be read before it, or beside it in its batch."""


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
    first = values[0]
    if key == META:
        return values
    if all(value is None for value in values):
        return None
    if isinstance(first, Mapping):
        return {inner: _merge(inner, [value[inner] for value in values], items) for inner in first}
    if isinstance(first, (Tensor, np.ndarray)):
        shapes = [tuple(value.shape) for value in values]
        odd = next((place for place, shape in enumerate(shapes) if shape != shapes[0]), None)
        if odd is not None:
            raise InputError(
                f"{key!r} has the shapes {shapes[0]} and {shapes[odd]} in one batch: {_names(items[0], items[odd])}.",
                hint="Crop or resize to one size in the pipeline.",
            )
        # torch's own collation writes to shared memory in workers, which saves a copy.
        return default_collate(values)
    if isinstance(first, (bool, int, float)):
        return torch.tensor(values)
    return values


def _names(*items: Item) -> str:
    metas = [item.get(META) or {} for item in items]
    found = (str(meta.get("video_path") or meta.get("img_path") or meta.get("index", "?")) for meta in metas)
    return ", ".join(found)
