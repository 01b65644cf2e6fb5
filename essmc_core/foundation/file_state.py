"""Whether a file is the one that was read before, without reading it."""

from __future__ import annotations

import os
from typing import TypeAlias

State: TypeAlias = "list[int] | None"
"""Inode, size, and the times of the last changes to content and inode; None where there is no file."""


def state_of(path: str) -> State:
    """Returns what changes when a file is replaced or written to."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    # Files out of wheels often have the same time in every version, but never the same inode and time of its change.
    return [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
