"""Which files under a folder live processes have open or mapped into memory, as far as the system tells."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROCESSES = Path("/proc")


def open_files(folder: Path) -> set[Path]:
    """Returns the files; empty where the system does not tell, and without those of other users' processes.

    Args:
        folder: only files in it.
    """
    root = folder.resolve()
    own = str(os.getpid())
    found: set[Path] = set()
    try:
        processes = [name for name in os.listdir(_PROCESSES) if name.isdigit() and name != own]
    except OSError:
        return found
    for process in processes:
        # Processes end meanwhile, and those of others cannot be looked into.
        with suppress(OSError):
            found.update(path for path in _files_of(_PROCESSES / process) if root in path.parents)
    return found


def _files_of(process: Path) -> Iterator[Path]:
    for line in (process / "maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        # Address, rights, offset, device, inode, path.
        parts = line.split(maxsplit=5)
        if len(parts) == 6 and parts[5].startswith("/"):
            yield Path(parts[5])
    for descriptor in (process / "fd").iterdir():
        with suppress(OSError):
            yield descriptor.readlink()
