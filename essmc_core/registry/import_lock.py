"""One import of a target at a time: libraries whose modules import each other in circles fail when two threads do."""

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
    """Waits until no other thread imports a target, then keeps others waiting.

    A thread that is in the middle of an import of its own does not wait: it holds Python's lock on that module, which
    the thread it would wait for may need. So no circle of waiting can come about.
    """
    if _inside_an_import():
        yield
        return
    with _lock:
        yield


def is_imported(module: str) -> bool:
    """Returns whether a module is imported to its end."""
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
    # A forked child has one thread; the one that held the lock is not among the living there.
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)
