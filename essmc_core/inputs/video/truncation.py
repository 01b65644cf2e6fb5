"""Files that end before what they promise at their beginning."""

from __future__ import annotations

import warnings
from typing import Any, BinaryIO

from essmc_core.errors import UnreadableInput
from essmc_core.inputs.video.announced_size import missing_bytes
from essmc_core.inputs.video.frame_table import FrameTable

_LOST_PART, _LOST_SECONDS = 0.1, 0.25
"""A file is truncated when it lacks more than both of what it announces; announcements are not exact."""
_NOTED_FRAMES = 2
_PROMISING = frozenset({"mov", "matroska", "webm", "asf", "flv", "avi"})
"""Containers whose header says how long the video is; elsewhere FFmpeg guesses it from the size."""
_LOOSE = frozenset({"avi"})
"""Containers whose headers are often not brought up to date: less than they say is worth a warning only."""
_MICROSECONDS = 1_000_000


def check_whole(container: Any, stream: Any, table: FrameTable, source: str | BinaryIO, path: str) -> None:
    """Warns of a file that lacks a little of what it promises, naming how much was read.

    What is cut off a file that can be read in part would change its class without a word.

    Args:
        container: PyAV's.
        stream: its video stream.
        table: the frames that were found.
        source: the file itself.
        path: what messages call it.

    Raises:
        UnreadableInput: it lacks much.
    """
    formats = set(container.format.name.split(","))
    promised = _promised_seconds(container, stream) if formats & _PROMISING else None
    missing = missing_bytes(source)
    message, much = f"{path} is truncated: it breaks off after {table.frames} frames", False
    truncated = table.cut_off or missing is not None
    if promised is not None and table.begin is not None and table.end is not None:
        # Some headers count from the first frame, and some from 0.
        read = float(max(table.end - table.begin, table.end) * stream.time_base)
        lost = promised - read
        much = lost > max(_LOST_PART * promised, _LOST_SECONDS)
        noticeable = stream.frames > table.frames and lost > _NOTED_FRAMES * promised / stream.frames
        truncated = truncated or much or noticeable
        if lost > 0:
            message = f"{path} is truncated: it ends after {read:.1f} of {promised:.1f} seconds"
    elif missing is not None:
        much = missing[0] < (1 - _LOST_PART) * missing[1]
        message += f", with {missing[0]:,} of {missing[1]:,} bytes"
    if much and not formats & _LOOSE:
        raise UnreadableInput(f"{message}.", hint="Fetch or write it anew.")
    if truncated:
        warnings.warn(f"{message}; {table.frames} frames are read.", stacklevel=2)


def _promised_seconds(container: Any, stream: Any) -> float | None:
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is None or len(container.streams) > 1:
        # The sound may be longer.
        return None
    return float(container.duration / _MICROSECONDS)
