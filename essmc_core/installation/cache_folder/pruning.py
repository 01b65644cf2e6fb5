"""Removes files from the cache folder, but never those that a live process uses."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Set
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from essmc_core.foundation.paths import cache_dir
from essmc_core.installation.cache_folder.categories import DIGESTS, LOCKS, PARTIAL, PERMANENT, WEIGHTS
from essmc_core.installation.cache_folder.listing import CachedFile
from essmc_core.installation.cache_folder.open_files import open_files
from essmc_core.weights.cache import origin_of

IN_USE = "in use by a live process"


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of a file.

    Attributes:
        file: the file.
        kept_because: why it is still there; empty if it was removed, or would be.
    """

    file: CachedFile
    kept_because: str = ""


def chosen(files: Iterable[CachedFile], *, partial: bool, older_than: float | None) -> list[CachedFile]:
    """Returns the files to remove; those that essmc cannot make again are never among them.

    Args:
        files: what is in the cache folder.
        partial: only what interrupted downloads left: incomplete files and locks.
        older_than: only files that were written longer ago than so many seconds.
    """
    before = None if older_than is None else time.time() - older_than
    return [
        file
        for file in files
        if file.category not in PERMANENT
        and (not partial or file.category in (PARTIAL, LOCKS))
        and (before is None or file.modified < before)
    ]


def prune(files: Iterable[CachedFile], *, dry_run: bool) -> Iterator[Pruned]:
    """Removes files, and folders that become empty.

    A file is in use if a process holds the lock of its download, or, where the system tells (Linux), has it open or
    mapped into its memory.

    Args:
        files: which ones.
        dry_run: only say what would become of each.
    """
    used = open_files(cache_dir())
    by_folder: dict[Path, list[CachedFile]] = {}
    for file in files:
        by_folder.setdefault(file.path.parent, []).append(file)
    for folder, inside in by_folder.items():
        with ExitStack() as locks:
            busy = _is_fetched_into(folder, locks) if _has_locks(inside) else False
            for file in inside:
                yield _remove(file, busy or file.path.resolve() in used, dry_run)
        if not dry_run:
            _remove_if_empty(folder)


def _has_locks(files: Iterable[CachedFile]) -> bool:
    return any(file.category in (WEIGHTS, PARTIAL, LOCKS, DIGESTS) for file in files)


def _is_fetched_into(folder: Path, locks: ExitStack) -> bool:
    """Returns whether a live process is fetching into a folder; if none is, none can begin until the stack ends."""
    from filelock import FileLock, Timeout

    for path in folder.glob(".*.lock"):
        try:
            locks.enter_context(FileLock(path, timeout=0))
        except Timeout:
            return True
        except OSError:
            # A folder that cannot be written to: deleting says so.
            continue
    return False


def _remove(file: CachedFile, is_used: bool, dry_run: bool) -> Pruned:
    if is_used:
        return Pruned(file, IN_USE)
    if dry_run:
        return Pruned(file)
    try:
        file.path.unlink(missing_ok=True)
        if file.category == WEIGHTS:
            origin_of(file.path).unlink(missing_ok=True)
    except OSError as error:
        # Windows does not delete open files.
        return Pruned(file, error.strerror or str(error))
    return Pruned(file)


def _remove_if_empty(folder: Path) -> None:
    root = cache_dir()
    while folder != root and root in folder.parents and not _names(folder):
        with suppress(OSError):
            folder.rmdir()
        if folder.exists():
            return
        folder = folder.parent


def _names(folder: Path) -> Set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return {"?"}
