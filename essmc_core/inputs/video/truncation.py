"""Files that end before what they promise at their beginning."""

from __future__ import annotations

import warnings
from typing import Any

from essmc_core.errors import UnreadableInput
from essmc_core.inputs.video.frame_table import FrameTable

_LOST_PART, _LOST_SECONDS = 0.1, 0.25
"""A file is truncated when it lacks more than both of what it announces; announcements are not exact."""
_NOTED_FRAMES = 2
_PROMISING = frozenset({"mov", "matroska", "webm", "asf", "flv", "avi"})
"""Containers whose header says how long the video is; elsewhere FFmpeg guesses it from the size."""
_LOOSE = frozenset({"avi"})
"""Containers whose headers are often not brought up to date: less than they say is worth a warning only."""
_MICROSECONDS = 1_000_000


def check_whole(container: Any, stream: Any, table: FrameTable, path: str) -> None:
    """Warns of a file that lacks a little of what it promises, naming how much was read.

    What is cut off a file that can be read in part would change its class without a word.

    Raises:
        UnreadableInput: it lacks much.
    """
    formats = set(container.format.name.split(","))
    promised = _promised_seconds(container, stream) if formats & _PROMISING else None
    if promised is None or table.begin is None or table.end is None:
        if table.cut_off:
            _warn(f"{path} is truncated: it breaks off after {table.frames} frames; these are read.")
        return
    # Some headers count from the first frame, and some from 0.
    read = float(max(table.end - table.begin, table.end) * stream.time_base)
    lost = promised - read
    message = f"{path} is truncated: it ends after {read:.1f} of {promised:.1f} seconds"
    if lost > max(_LOST_PART * promised, _LOST_SECONDS):
        if not formats & _LOOSE:
            raise UnreadableInput(f"{message}.", hint="Fetch or write it anew.")
        _warn(f"{message}; {table.frames} frames are read.")
    elif table.cut_off or (stream.frames > table.frames and lost > _NOTED_FRAMES * promised / stream.frames):
        _warn(f"{message}; {table.frames} frames are read.")


def _promised_seconds(container: Any, stream: Any) -> float | None:
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is None or len(container.streams) > 1:
        # The sound may be longer.
        return None
    return float(container.duration / _MICROSECONDS)


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=2)
