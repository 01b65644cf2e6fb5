"""Transforms of the item itself: converting, selecting and moving values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from essmc_core.errors import InputError
from essmc_data.item import Item


def _need(item: Item, keys: Sequence[str], who: str) -> None:
    if missing := [key for key in keys if key not in item]:
        raise InputError(f"{who} needs {', '.join(missing)}, and the item has {', '.join(item) or 'nothing'}.")


class ToTensor:
    """Makes tensors of arrays, lists and numbers.

    Args:
        keys: values to convert.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)

    def __call__(self, item: Item) -> Item:
        """Returns a new item."""
        _need(item, self.keys, "ToTensor")
        return {**item, **{key: _tensor(item[key]) for key in self.keys}}


def _tensor(value: object) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    return torch.tensor(value)


class Select:
    """Keeps some values and drops the rest.

    Args:
        keys: values to keep.
        meta_keys: entries of ``meta`` to keep; with none, ``meta`` goes too unless it is among ``keys``.
    """

    def __init__(self, keys: Sequence[str], meta_keys: Sequence[str] = ()) -> None:
        self.keys = tuple(keys)
        self.meta_keys = tuple(meta_keys)

    def __call__(self, item: Item) -> Item:
        """Returns a new item."""
        _need(item, self.keys, "Select")
        kept = {key: item[key] for key in self.keys}
        if self.meta_keys:
            meta = item.get("meta") or {}
            _need(meta, self.meta_keys, "Select (meta_keys)")
            kept["meta"] = {key: meta[key] for key in self.meta_keys}
        return kept


class TensorToGPU:
    """Moves tensors to CUDA where there is CUDA, and leaves them where they are elsewhere.

    Args:
        keys: values to move.
        device_id: which device; the current one by default.
    """

    def __init__(self, keys: Sequence[str], device_id: int | None = None) -> None:
        self.keys = tuple(keys)
        self.device_id = device_id

    def __call__(self, item: Item) -> Item:
        """Returns a new item."""
        _need(item, self.keys, "TensorToGPU")
        if not torch.cuda.is_available():
            return item
        device = torch.device("cuda", torch.cuda.current_device() if self.device_id is None else self.device_id)
        return {**item, **{key: item[key].to(device, non_blocking=True) for key in self.keys}}
