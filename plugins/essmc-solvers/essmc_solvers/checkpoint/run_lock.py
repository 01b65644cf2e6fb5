"""One run for each work dir: a lock that the system takes back when its process ends, however it ends."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from essmc_solvers.errors import WorkDirError

LOCK = ".run.lock"
_REGISTER = threading.Lock()
_HELD: set[tuple[int, Path]] = set()


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Keeps other runs out of a folder within a block, those of this process included.

    File systems and operating systems without locks are let pass.

    Args:
        folder: the work dir, which exists.

    Raises:
        WorkDirError: another run has the lock.
    """
    path = folder / LOCK
    with _held_here(folder):
        descriptor = _locked(path)
        try:
            yield
        finally:
            if descriptor is not None:
                path.unlink(missing_ok=True)  # before others can have it
                os.close(descriptor)


@contextmanager
def _held_here(folder: Path) -> Iterator[None]:
    """Keeps this process's other runs out: a process never waits for record locks of its own."""
    key = (os.getpid(), folder.resolve())
    with _REGISTER:
        if key in _HELD:
            raise WorkDirError(
                f"another run of this process is writing to {folder}", hint="Give each run a work_dir of its own."
            )
        _HELD.add(key)
    try:
        yield
    finally:
        with _REGISTER:
            _HELD.discard(key)


def _locked(path: Path) -> int | None:
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:  # left behind by another user
            return None
        try:
            # Record locks are not inherited: loading processes that outlive a killed run do not keep it.
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
            os.close(descriptor)
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                return None
            raise WorkDirError(
                f"another run is writing to {path.parent}" + (f": {owner}" if owner else ""),
                hint="Wait for it, or end it; --work-dir (work_dir=) names another folder.",
            ) from None
        if _is_at(descriptor, path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
            return descriptor
        os.close(descriptor)  # its owner removed it in between


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
