"""A child process that answers one request after the other, and is replaced after a crash, a hang or an excess."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from essmc_devkit.children.limits import Limits
from essmc_devkit.children.process import ChildEnded, ChildProcess

_START = Limits(seconds=300.0)


class Worker:
    """Sends requests to a child process; use it in a ``with``.

    Args:
        module: what the child runs, see `essmc_devkit.children.channel`.
        environment: all its variables.
        limits: of each request.

    Attributes:
        limits: of the requests to come.
    """

    def __init__(self, module: str, environment: Mapping[str, str], limits: Limits) -> None:
        self._module = module
        self._environment = environment
        self.limits = limits
        self._child: ChildProcess | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="essmc-check-", ignore_cleanup_errors=True)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop()
        self._folder.cleanup()

    def ask(self, **request: object) -> Iterator[Mapping[str, Any]]:
        """Yields the messages that answer a request.

        Raises:
            ChildEnded: the child ended, or took too long or too much memory; the next request starts another.
        """
        limits = self.limits
        try:
            child = self._running()
            request = {**request, "seconds": limits.seconds, "memory": limits.memory}
            child.send(json.dumps(request))
            until = time.monotonic() + limits.seconds
            while "done" not in (message := _parsed(child.read_line(limits, until))):
                yield message
        except ChildEnded:
            self._stop()
            raise

    def errors(self) -> str:
        """Returns what the child wrote to standard error since the last request."""
        return "" if self._child is None else self._child.errors()

    def _running(self) -> ChildProcess:
        if self._child is not None and self._child.alive:
            return self._child
        self._stop()
        self._child = ChildProcess(self._module, self._environment, Path(self._folder.name))
        # The import of the core, and of torch, is none of the first request's time.
        self._child.read_line(_START, time.monotonic() + _START.seconds)
        return self._child

    def _stop(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None


def _parsed(line: bytes) -> Mapping[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise ChildEnded("ended", f"answers with {line[:80]!r}, which is no message")
    return message
