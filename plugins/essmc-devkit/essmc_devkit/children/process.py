"""A child process that is watched from outside: it is ended when it takes too long or too much memory."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Literal, TypeAlias

import psutil

from essmc_devkit.children.limits import GIB, Limits

How: TypeAlias = Literal["ended", "time", "memory"]
_PAUSE = 0.05
# How long the last lines of a process that has ended may be on their way.
_DRAIN = 1.0
# Below this share of its time, a process that is late waits for something; above it, others took the processor.
_WAITING = 0.1
# How many times its time a process may take in the end.
_PATIENCE = 4


class ChildEnded(Exception):
    """A child process ended, or was ended, before it had answered.

    Attributes:
        how: ``ended`` by itself, or by us over its ``time`` or ``memory``.
        message: what happened, one phrase.
        errors: what it wrote to standard error since the request.
    """

    def __init__(self, how: How, message: str, errors: str = "") -> None:
        super().__init__(message)
        self.how = how
        self.message = message
        self.errors = errors


class ChildProcess:
    """A Python process that reads requests from standard input and answers on standard output, a line each.

    Args:
        module: what it runs, as ``python -m``; see `essmc_devkit.children.channel` for its side.
        environment: all its variables.
        folder: its current directory.
    """

    def __init__(self, module: str, environment: Mapping[str, str], folder: Path) -> None:
        # Standard error is a file, so that a process that writes much of it cannot block.
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=os.name == "posix",
        )
        self._watched = psutil.Process(self._process.pid)
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._seen_errors = 0
        self._used_before = 0.0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError, OSError):
            for line in self._process.stdout:
                self._lines.put(line)
        self._lines.put(None)

    def send(self, line: str) -> None:
        """Sends a request; that the process has ended is found out when its answer is read."""
        self._seen_errors = self._size_of_errors()
        self._used_before = self._processor_time()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def read_line(self, limits: Limits, until: float) -> bytes:
        """Returns the next line of an answer.

        Args:
            limits: what the process may take; the time is for messages only.
            until: when it has to be there, by ``time.monotonic``.

        Raises:
            ChildEnded: there is none; the process has ended.
        """
        while True:
            with contextlib.suppress(queue.Empty):
                line = self._lines.get(timeout=_PAUSE)
                if line is None:
                    raise self._ended()
                return line
            if self._process.poll() is not None:
                # A process that it left behind may keep the pipe open.
                with contextlib.suppress(queue.Empty):
                    line = self._lines.get(timeout=_DRAIN)
                    if line is not None:
                        return line
                raise self._ended()
            if self._is_over(limits, until):
                raise self._stopped("time", f"took more than {limits.seconds:g} s")
            if self._memory() > limits.memory:
                raise self._stopped("memory", f"took more than {limits.memory / GIB:.2g} GiB of memory")

    def _is_over(self, limits: Limits, until: float) -> bool:
        """Returns whether the time is up: on a busy machine one that computes may have had little of it so far."""
        late = time.monotonic() - until
        if late <= 0:
            return False
        used = self._processor_time() - self._used_before
        is_waiting = used < _WAITING * limits.seconds
        return is_waiting or used > limits.seconds or late > (_PATIENCE - 1) * limits.seconds

    def _processor_time(self) -> float:
        total = 0.0
        with contextlib.suppress(psutil.Error):
            for process in (self._watched, *self._watched.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    total += times.user + times.system
        return total

    def _memory(self) -> int:
        total = 0
        with contextlib.suppress(psutil.Error):
            for process in (self._watched, *self._watched.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    total += process.memory_info().rss
        return total

    def _stopped(self, how: How, message: str) -> ChildEnded:
        self.close()
        return ChildEnded(how, message, self.errors())

    def _ended(self) -> ChildEnded:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_DRAIN)
        status = self._process.poll()
        self.close()
        if status is None:
            message = "closed the pipe of its answers"
        elif status < 0:
            message = f"ended the process ({_signal_name(-status)})"
        else:
            message = f"ended the process (exit status {status})"
        return ChildEnded("ended", message, self.errors())

    def _size_of_errors(self) -> int:
        return os.fstat(self._errors.fileno()).st_size

    def errors(self) -> str:
        """Returns what was written to standard error since the last request."""
        size = self._size_of_errors()
        # The child shares the position in the file, so it is read without moving it.
        if hasattr(os, "pread"):
            data = os.pread(self._errors.fileno(), size - self._seen_errors, self._seen_errors)
        else:
            self._errors.seek(self._seen_errors)
            data = self._errors.read()
        return data.decode("utf-8", errors="replace")

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """Ends the process, and those that it started."""
        started: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            started = self._watched.children(recursive=True)
        if os.name == "posix":
            # The group outlives its leader if that started others.
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
        for process in started:
            with contextlib.suppress(psutil.Error):
                process.kill()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
