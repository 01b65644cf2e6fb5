"""What passes through a pipeline: an item, the names in it that have a meaning, and the file that it is of."""

from __future__ import annotations

from typing import Any

from essmc_core.errors import InputError
from essmc_data.files.locations import join

META = "meta"
UNREADABLE = "unreadable"
"""Entry of an item's ``meta``: how many inputs could not be read before it, or beside it in its batch."""
Item = dict[str, Any]
"""``meta`` (dict), ``img`` or ``video``, ``gt_label``, and whatever transforms add."""


def file_of(item: Item) -> str:
    """Returns what messages call an item: its file, or its number in the dataset."""
    meta = item.get("meta") or {}
    in_shard = f"{meta['key']} of {meta['shard']}" if "key" in meta and "shard" in meta else None
    named = meta.get("video_path") or meta.get("img_path") or in_shard
    return str(named) if named else f"item {meta.get('index', '?')}"


def path_of(item: Item, key: str) -> str:
    """Returns the path in an item's ``meta``, below its ``prefix``.

    Raises:
        InputError: the item names none.
    """
    meta = item.get("meta") or {}
    if key not in meta:
        raise InputError(f"The item's meta has no {key!r}: it has {', '.join(meta) or 'nothing'}.")
    return join(meta.get("prefix"), str(meta[key]))
