"""A child's side of its pipes: requests come in, messages go out, and nothing that a pack prints gets between them."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
from collections.abc import Iterator

# Bound before a pack can replace them.
from json import dumps, loads
from typing import Any


class Channel:
    """The pipes to the parent process, taken out of the reach of the code that is checked.

    Standard input is empty from now on, and standard output leads to standard error.
    """

    def __init__(self) -> None:
        self._requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
        self._answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        # Tells in which line a process crashed.
        faulthandler.enable()

    def requests(self) -> Iterator[dict[str, Any]]:
        """Yields the parent's requests until it closes the pipe."""
        for line in self._requests:
            yield loads(line)

    def send(self, **message: object) -> None:
        """Sends a message."""
        self._answers.write(dumps(message) + "\n")
        self._answers.flush()


@contextlib.contextmanager
def telling_where_it_hangs(seconds: float) -> Iterator[None]:
    """Writes the stack to standard error shortly before the parent ends a process that takes too long."""
    faulthandler.dump_traceback_later(seconds * 0.9, file=sys.__stderr__ or sys.stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def limit_memory(most: int) -> None:
    """Limits what the process can allocate, where that works; the parent watches what is resident."""
    try:
        import resource
    except ImportError:
        return
    with contextlib.suppress(OSError, ValueError):
        # Private memory alone: libraries reserve far more addresses than they use.
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
