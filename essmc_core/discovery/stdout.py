"""Redirects what packs print during discovery to standard error, marked with the pack's name."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from importlib.machinery import EXTENSION_SUFFIXES
from itertools import islice
from types import TracebackType
from typing import Any

_EXTENSIONS = tuple(EXTENSION_SUFFIXES)


class StdoutToStderr:
    """Redirects standard output of the discovering thread to standard error.

    Output of C code or child processes is redirected too unless another thread runs: all threads share the file
    descriptor.
    """

    def __init__(self) -> None:
        self.printed = False
        self._pack = ""
        self._at_line_start = True
        self._original: Any = None
        self._proxy: _Proxy | None = None
        self._saved = self._sink = -1
        self._modules = 0
        self._flush_of_c: Any = None

    def __enter__(self) -> StdoutToStderr:
        self._original = sys.stdout
        self._modules = len(sys.modules)
        _flush(self._original)
        self._redirect()
        self._proxy = _Proxy(self._original, self)
        sys.stdout = self._proxy
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.take_over(self._pack)
        if self._proxy is not None:
            self._proxy.closed_to_packs = True
        sys.stdout = self._original
        if self._saved >= 0:
            with contextlib.suppress(OSError):
                os.dup2(self._saved, 1)
                os.close(self._saved)
                os.close(self._sink)

    def begin(self, pack: str) -> None:
        """Sets the pack that the following output comes from."""
        self._pack, self.printed = pack, False

    def take_over(self, pack: str) -> bool:
        """Shows the output of C code and child processes, and returns whether the pack has printed anything."""
        if sys.stdout is not self._proxy and self._proxy is not None:
            sys.stdout = self._proxy
        if self._saved >= 0:
            self._flush_below_python()
            with contextlib.suppress(OSError):
                size = os.fstat(self._sink).st_size
                if size:
                    os.lseek(self._sink, 0, os.SEEK_SET)
                    self._end_line()
                    self.show(os.read(self._sink, size).decode("utf-8", errors="replace"))
                    os.ftruncate(self._sink, 0)
                    os.lseek(self._sink, 0, os.SEEK_SET)
        self._end_line()
        return self.printed

    def _end_line(self) -> None:
        if not self._at_line_start:
            self.show("\n")

    def show(self, text: str) -> None:
        """Writes text to standard error, each line marked with its pack."""
        for line in text.splitlines(keepends=True):
            mark = f"[{self._pack}] " if self._at_line_start else ""
            with contextlib.suppress(Exception):
                sys.stderr.write(mark + line)
            self._at_line_start = line.endswith("\n")
            self.printed = True

    def _redirect(self) -> None:
        if threading.active_count() != 1:
            return
        try:
            os.fstat(2)
            self._saved = os.dup(1)
            if hasattr(os, "memfd_create"):
                self._sink = os.memfd_create("essmc-discovery")
            else:
                import tempfile

                with tempfile.TemporaryFile() as file:
                    self._sink = os.dup(file.fileno())
            os.dup2(self._sink, 1)
        except OSError:
            self._saved = -1

    def _flush_below_python(self) -> None:
        """Flushes the buffer of C's standard output if code that may have written to it was loaded."""
        grown, self._modules = len(sys.modules) - self._modules, len(sys.modules)
        new = list(islice(reversed(sys.modules.values()), max(grown, 0)))
        loaded = any(str(getattr(module, "__file__", "")).endswith(_EXTENSIONS) for module in new)
        if loaded or "ctypes" in sys.modules:
            with contextlib.suppress(Exception):
                if self._flush_of_c is None:
                    import ctypes

                    self._flush_of_c = ctypes.CDLL(None).fflush
                self._flush_of_c(None)


class _Proxy:
    """Replaces ``sys.stdout`` for the discovering thread; for all others it forwards to the original."""

    def __init__(self, original: Any, target: StdoutToStderr) -> None:
        self._original = original
        self._target = target
        self._thread = threading.get_ident()
        self.closed_to_packs = False

    def _is_a_packs(self) -> bool:
        return not self.closed_to_packs and threading.get_ident() == self._thread

    def write(self, text: str) -> int:
        if self._is_a_packs():
            self._target.show(text)
        elif self._original is not None:
            self._original.write(text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        _flush(self._original)

    def close(self) -> None:
        # A pack must not close the program's stream.
        if not self._is_a_packs():
            self._original.close()

    @property
    def buffer(self) -> Any:
        return (sys.stderr if self._is_a_packs() else self._original).buffer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def _flush(stream: Any) -> None:
    with contextlib.suppress(Exception):
        stream.flush()
