"""Atomic writing of files: after an interruption a file is either the old one or the complete new one."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Replaces a file's text atomically; a crash, a full disk or a kill leaves the old file unchanged."""
    # Not tempfile, whose files other users cannot read.
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _umask(folder: Path) -> int:
    """Returns the access rights that new files lack, without changing those of the process for a moment."""
    probe = folder / f".{os.getpid()}.{threading.get_ident()}.umask"
    os.close(os.open(probe, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o666))
    try:
        return 0o666 & ~probe.stat().st_mode
    finally:
        probe.unlink()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Lends a path beside a file, and puts what was written there in the file's place at the end of the block.

    The new file has the access rights of the old one. If the block raises, nothing is left of the new one.
    """
    temporary = path.parent / f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp"
    try:
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        # Some libraries write files that no other user can read.
        os.chmod(temporary, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask(path.parent))
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
