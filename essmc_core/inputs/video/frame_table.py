"""Which frames a video has, when each is shown, and where decoding can begin; learnt once for each file."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CACHED_TABLES = 4096
_cache: OrderedDict[_Key, FrameTable] = OrderedDict()
_Key = tuple[str, int, int, int]


@dataclass(frozen=True, slots=True)
class FrameTable:
    """The frames of one video stream, in the order in which a decoder shows them.

    Attributes:
        frames: how many there are.
        pts: (frames,) times at which they are shown in the stream's time base, rising; None where the container has
            none or they contradict each other.
        durations: (frames,) how long the container says each is shown; 0 where it does not say.
        keyframes: (keys,) numbers of the frames that depend on no other, rising, beginning with 0.
        begin: earliest time of a packet; None where the container has no times.
        end: time at which the last packet ends.
        fingerprints: (frames,) checksums of what each was decoded to; None where nothing was decoded and the table is
            what the container promises.
        seeks: whether seeking leads to the frames that are numbered here.
        cut_off: whether the last packet is damaged and its frame left out.
    """

    frames: int
    pts: NDArray[np.int64] | None
    durations: NDArray[np.int64]
    keyframes: NDArray[np.int64]
    begin: int | None = None
    end: int | None = None
    fingerprints: NDArray[np.uint32] | None = None
    seeks: bool = True
    cut_off: bool = False

    def keyframe_of(self, index: int) -> int:
        """Returns the last frame at or before ``index`` at which decoding can begin."""
        return int(self.keyframes[np.searchsorted(self.keyframes, index, side="right") - 1])


def key_of(path: str) -> _Key:
    """Returns what a file's table is remembered by: it changes when the file does."""
    status = os.stat(path)
    return os.path.abspath(path), status.st_size, status.st_mtime_ns, status.st_ino


def recall(key: _Key | None) -> FrameTable | None:
    """Returns a table that was remembered."""
    table = None if key is None else _cache.get(key)
    if key is not None and table is not None:
        # Another thread may have dropped it since.
        remember(key, table)
    return table


def remember(key: _Key | None, table: FrameTable) -> FrameTable:
    """Keeps a table for later openings in this process; None is the key of what has no lasting place."""
    if key is not None:
        _cache[key] = table
        _cache.move_to_end(key)
        while len(_cache) > _CACHED_TABLES:
            _cache.popitem(last=False)
    return table


def forget() -> None:
    """Drops all tables that were kept."""
    _cache.clear()
