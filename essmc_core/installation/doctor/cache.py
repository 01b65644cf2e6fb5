"""The cache folder: where it is, how much is in it, whether it can be written."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from essmc_core.errors import EssmcError
from essmc_core.foundation.byte_counts import in_bytes
from essmc_core.foundation.paths import cache_dir
from essmc_core.foundation.settings import lenient_flag
from essmc_core.installation.doctor.section import Section

_LEAST_FREE = 1 << 30
_CHOOSE = "set ESSMC_CACHE_DIR to a folder that you may write to"


def cache_section() -> Section:
    """Returns place, size and free space of the cache."""
    section = Section("Cache")
    try:
        folder = cache_dir()
    except EssmcError as error:
        section.problem(error.message, error.hint)
        return section
    section.facts["folder"] = f"{folder}{'' if folder.exists() else ' (created when it is needed)'}"
    section.facts["size"] = _size(folder)
    if reason := _not_writable(folder):
        section.facts["writable"] = "no"
        section.problem(f"nothing can be kept in the cache folder {folder}: {reason}", _CHOOSE)
        return section
    section.facts["writable"] = "yes"
    free = shutil.disk_usage(_existing(folder)).free
    section.facts["free space"] = in_bytes(free)
    if free < _LEAST_FREE:
        fix = "free some space, or set ESSMC_CACHE_DIR to a folder on another disk"
        section.problem(f"{in_bytes(free)} are free where weights are kept", fix)
    section.facts["network"] = "not used (ESSMC_OFFLINE)" if lenient_flag("ESSMC_OFFLINE") else "used when needed"
    return section


def _existing(folder: Path) -> Path:
    """Returns the folder, or the nearest one above it that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _not_writable(folder: Path) -> str:
    """Returns why no file can be written, empty if one can; creates no folder."""
    place = _existing(folder)
    if not place.is_dir():
        return f"{place} is no folder"
    try:
        with tempfile.TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _size(folder: Path) -> str:
    total = count = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except OSError:
                continue
            count += 1
    return f"{in_bytes(total)} in {count:,} files"
