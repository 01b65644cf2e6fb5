"""When each frame of a video is shown, and at which frames decoding can begin: read from packets, without decoding."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CACHED_TABLES = 4096
_cache: OrderedDict[tuple[str, int, int], FrameTable] = OrderedDict()


@dataclass(frozen=True, slots=True)
class FrameTable:
    """The frames of one video stream.

    Attributes:
        pts: (frames,) presentation times in the stream's time base, rising; None where the container has none, so that
            frames can only be counted.
        keyframes: (keys,) numbers of the frames that depend on no other, rising.
        frames: how many there are; of a container without times, how many packets.
        extent: time from the beginning of the first packet to the end of the last, in the stream's time base; None
            where the container has no times.
    """

    pts: NDArray[np.int64] | None
    keyframes: NDArray[np.int64]
    frames: int
    extent: int | None = None

    def keyframe_of(self, index: int) -> int:
        """Returns the last frame at or before ``index`` at which decoding can begin."""
        return int(self.keyframes[np.searchsorted(self.keyframes, index, side="right") - 1])


def read_table(container: Any, stream: Any, path: str | None) -> tuple[FrameTable, bool]:
    """Returns the table, and whether the container's packets had to be read for it, which leaves it at its end.

    Args:
        container: PyAV's, newly opened.
        stream: its video stream.
        path: of a local file, whose table is kept until the file changes; None for others.
    """
    key = None
    if path is not None:
        status = os.stat(path)
        key = (os.path.abspath(path), status.st_size, status.st_mtime_ns)
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key], False
    table = _scan(container, stream)
    if key is not None:
        _cache[key] = table
        while len(_cache) > _CACHED_TABLES:
            _cache.popitem(last=False)
    return table, True


def forget() -> None:
    """Drops all tables that were kept."""
    _cache.clear()


def _scan(container: Any, stream: Any) -> FrameTable:
    times: list[int | None] = []
    keys: list[int | None] = []
    begin, end = None, 0
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        if packet.pts is not None:
            begin = packet.pts if begin is None else min(begin, packet.pts)
            end = max(end, packet.pts + (packet.duration or 0))
        if packet.is_discard:
            continue
        times.append(packet.pts)
        if packet.is_keyframe:
            keys.append(packet.pts)
    extent = None if begin is None else end - begin
    known = [time for time in times if time is not None]
    if len(known) < len(times) or len(set(known)) < len(known) or not keys:
        return FrameTable(None, np.zeros(1, dtype=np.int64), len(times), extent)
    # Frames shown before the first keyframe belong to a part that was cut off, and are never decoded.
    first = keys[0]
    pts = np.sort(np.array([time for time in known if first is not None and time >= first], dtype=np.int64))
    return FrameTable(pts, np.unique(np.searchsorted(pts, np.array(keys, dtype=np.int64))), len(pts), extent)
