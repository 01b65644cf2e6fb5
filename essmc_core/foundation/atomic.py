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


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Lends a path beside a file, and puts what was written there in the file's place at the end of the block.

    The new file has the access rights of the old one, or those of any new file, whatever writes it: some libraries make
    files that no other user can read. If the block raises, nothing is left of the new one.
    """
    temporary = path.parent / f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp"
    try:
        temporary.touch()
        mode = (path if path.exists() else temporary).stat().st_mode & 0o777
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
