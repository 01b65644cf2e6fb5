"""A time limit on importing a pack, so that one that hangs does not hang the program."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

DEFAULT_SECONDS = 30.0


class PackTimeout(BaseException):
    """A pack took too long to import. Not an Exception, so that the pack's own handlers let it through."""


def limit_seconds() -> float:
    """Returns ``ESSMC_PACK_TIMEOUT`` in seconds, 30 by default; 0 or less means no limit."""
    try:
        return float(os.environ.get("ESSMC_PACK_TIMEOUT", DEFAULT_SECONDS))
    except ValueError:
        return DEFAULT_SECONDS


@contextlib.contextmanager
def time_limit(pack: str) -> Iterator[None]:
    """Raises in the code it wraps once the limit has passed.

    Only the main thread of a system with interval timers can be interrupted, and an alarm of the program's own
    is left alone; elsewhere there is no limit.

    Raises:
        PackTimeout: the wrapped code took longer than :func:`limit_seconds`.
    """
    seconds = limit_seconds()
    can_interrupt = (
        seconds > 0
        and hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and signal.getitimer(signal.ITIMER_REAL)[0] == 0
    )
    if not can_interrupt:
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise PackTimeout(f"importing {pack} took more than {seconds:g} s (ESSMC_PACK_TIMEOUT)")

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
