"""What was read from the source files of an installed library, kept as JSON in the cache folder while they stay."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

from essmc_core.foundation.atomic import write_text
from essmc_core.foundation.paths import cache_dir


def fingerprint_of(folder: Path, form: int) -> str:
    """Returns what changes whenever a source file does: cheaper than a version, and right for editable installs too.

    Args:
        folder: with the files; those of folders in it do not count.
        form: of what is kept; raised when it changes.
    """
    with os.scandir(folder) as entries:
        files = [entry for entry in entries if entry.name.endswith(".py")]
        stats = sorted((entry.name, entry.stat().st_mtime_ns, entry.stat().st_size) for entry in files)
    return f"{form}-{len(stats)}-{crc32(repr(stats).encode()):08x}"


def read_cache(name: str, folder: Path, fingerprint: str) -> Any:
    """Returns what was written, None if it cannot be read or is of another state: that costs time, never an error.

    Args:
        name: e.g. ``timm/index``.
        folder: the folder that was read.
        fingerprint: its state.
    """
    try:
        content = json.loads(_file(name, folder).read_bytes())
        return content if content["fingerprint"] == fingerprint else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_cache(name: str, folder: Path, fingerprint: str, content: Mapping[str, Any]) -> None:
    """Replaces the file in one step, so that a process reading meanwhile sees the old one or the new one."""
    path = _file(name, folder)
    # What cannot be kept is read again.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({"fingerprint": fingerprint, **content}, separators=(",", ":")))


def _file(name: str, folder: Path) -> Path:
    # One file per installation: two environments that share a cache must not evict each other.
    return cache_dir() / f"{name}-{crc32(os.fsencode(folder)):08x}.json"
