"""Serialises the import of targets: importing modules with circular imports from two threads fails."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from types import FrameType

_lock = threading.RLock()


@contextlib.contextmanager
def one_import_at_a_time() -> Iterator[None]:
    """Holds a lock while a target is imported.

    A thread that is inside an import does not wait for the lock: it holds Python's lock on that module, which the
    owner of this lock may need. That rules out a deadlock.
    """
    if _inside_an_import():
        yield
        return
    with _lock:
        yield


def is_imported(module: str) -> bool:
    """Returns whether the import of a module has completed."""
    found = sys.modules.get(module)
    return found is not None and not getattr(getattr(found, "__spec__", None), "_initializing", False)


def _inside_an_import() -> bool:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _forget_other_threads() -> None:
    # A forked child has one thread; the thread that held the lock does not exist there.
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)
