"""Restores global state of the process that a pack changes during discovery, and reports what was changed."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from essmc_core.discovery.shared_objects import SharedObjects

_ABSENT = object()
_SIGNALS = [int(number) for number in sorted(signal.valid_signals())]
# The public function converts each result to an enumeration, which takes longer than everything else read here.
_getsignal: Callable[[int], Any] = getattr(sys.modules.get("_signal"), "getsignal", signal.getsignal)


@dataclass(frozen=True, slots=True)
class _Watched:
    """One piece of state.

    ``fresh`` is its value in a library that was not imported before, and ``stays`` says that it cannot be restored.
    """

    name: str
    read: Callable[[], Any]
    restore: Callable[[Any], object]
    fresh: Any = _ABSENT
    stays: bool = False


def _of(module: str, read: Callable[[Any], Any]) -> Callable[[], Any]:
    """Returns a reader of a library's state that does not import the library."""

    def read_if_imported() -> Any:
        found = sys.modules.get(module)
        return _ABSENT if found is None else read(found)

    return read_if_imported


def _restore_environment(before: dict[str, str]) -> None:
    for name in set(os.environ) - set(before):
        del os.environ[name]
    for name, value in before.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _handlers() -> Any:
    # Only the main thread can change or restore signal handlers.
    if threading.current_thread() is not threading.main_thread():
        return _ABSENT
    return [_getsignal(number) for number in _SIGNALS]


def _restore_handlers(before: list[Any]) -> None:
    for number, handler in zip(_SIGNALS, before, strict=True):
        if handler is not None and _getsignal(number) is not handler:
            signal.signal(number, handler)


def _alarm_runs() -> Any:
    return signal.getitimer(signal.ITIMER_REAL)[0] > 0 if hasattr(signal, "getitimer") else _ABSENT


def _stop_alarm(ran: bool) -> None:
    if not ran:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _locale() -> Any:
    # The module `locale` takes a millisecond to import; this is its C implementation.
    import _locale

    return _locale.setlocale(_locale.LC_ALL, None)


def _restore_locale(before: str) -> None:
    import _locale

    _locale.setlocale(_locale.LC_ALL, before)


def _cwd() -> Any:
    try:
        return os.getcwd()
    except OSError:
        return _ABSENT


def _set_logging(before: tuple[Any, ...]) -> None:
    import logging

    logging.root.handlers[:] = before[0]
    logging.root.setLevel(before[1])
    logging.disable(before[2])


def _filters_of_everything() -> list[Any]:
    # Filters that libraries add for their own warnings on import are kept.
    return [found for found in warnings.filters if found[1] is None and found[3] is None and found[2] is Warning]


def _set_filters(before: list[Any]) -> None:
    everything = _filters_of_everything()
    added = [found for found in everything if found not in before]
    warnings.filters[:] = [found for found in warnings.filters if found not in added]  # type: ignore[index]
    getattr(warnings, "_filters_mutated", lambda: None)()


def _threads() -> list[int | None]:
    # Discovery starts one thread itself.
    return [thread.ident for thread in threading.enumerate() if thread.name != "essmc-discovery"]


def _set_attribute(owner: Any, name: str) -> Callable[[Any], object]:
    return lambda value: setattr(owner, name, value)


def _set_torch_random(torch: Any, state: bytes) -> None:
    torch.set_rng_state(torch.frombuffer(bytearray(state), dtype=torch.uint8))


def _module(name: str) -> Any:
    return sys.modules[name]


_WATCHED = (
    _Watched("the current directory", _cwd, os.chdir),
    _Watched("environment variables", lambda: dict(getattr(os.environ, "_data", os.environ)), lambda _: None),
    _Watched("sys.path", lambda: list(sys.path), lambda before: sys.path.__setitem__(slice(None), before)),
    _Watched("sys.argv", lambda: list(sys.argv), lambda before: sys.argv.__setitem__(slice(None), before)),
    _Watched("signal handlers", _handlers, _restore_handlers),
    _Watched("the alarm", _alarm_runs, _stop_alarm),
    _Watched("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    _Watched("sys.stderr", lambda: sys.stderr, _set_attribute(sys, "stderr")),
    _Watched("sys.stdin", lambda: sys.stdin, _set_attribute(sys, "stdin")),
    _Watched("sys.excepthook", lambda: sys.excepthook, _set_attribute(sys, "excepthook")),
    _Watched("the trace function", sys.gettrace, sys.settrace),
    _Watched("the profile function", sys.getprofile, sys.setprofile),
    _Watched(
        "the timeout of sockets",
        _of("socket", lambda m: m.getdefaulttimeout()),
        lambda seconds: _module("socket").setdefaulttimeout(seconds),
        fresh=None,
    ),
    _Watched("threads", _threads, lambda _: None, stays=True),
    _Watched("garbage collection", gc.isenabled, lambda before: gc.enable() if before else gc.disable()),
    _Watched("the locale", _locale, _restore_locale),
    _Watched("warning filters", _filters_of_everything, _set_filters),
    _Watched(
        "logging of the root logger",
        _of("logging", lambda m: (list(m.root.handlers), m.root.level, m.root.manager.disable)),
        _set_logging,
        fresh=([], 30, 0),
    ),
    _Watched("random numbers", _of("random", lambda m: m.getstate()), lambda s: _module("random").setstate(s)),
    _Watched(
        "numpy's random numbers",
        _of("numpy.random", lambda m: m.get_state(legacy=False)),
        lambda state: _module("numpy.random").set_state(state),
    ),
    _Watched(
        "torch's default dtype",
        _of("torch", lambda m: str(m.get_default_dtype()).removeprefix("torch.")),
        lambda dtype: _module("torch").set_default_dtype(getattr(_module("torch"), dtype)),
        fresh="float32",
    ),
    _Watched(
        "torch's default device",
        _of("torch", lambda m: str(m.get_default_device())),
        lambda device: _module("torch").set_default_device(device),
        fresh="cpu",
    ),
    _Watched(
        "torch's gradients",
        _of("torch", lambda m: m.is_grad_enabled()),
        lambda enabled: _module("torch").set_grad_enabled(enabled),
        fresh=True,
    ),
    _Watched(
        "the number of torch's threads",
        _of("torch", lambda m: m.get_num_threads()),
        lambda number: _module("torch").set_num_threads(number),
    ),
    _Watched(
        "torch's random numbers",
        _of("torch", lambda m: m.get_rng_state().numpy().tobytes()),
        lambda state: _set_torch_random(_module("torch"), state),
    ),
)  # fmt: skip


LIBRARIES = frozenset(("json", "logging", "numpy", "random", "socket", "subprocess", "timm", "torch", "torchvision"))
"""Top-level modules with state of their own; see `GlobalState.note`."""


class GlobalState:
    """The global state of the process before packs were discovered."""

    def __init__(self) -> None:
        self._before = {watched.name: _read(watched) for watched in _WATCHED}
        self._environment = dict(os.environ)
        self._shared = SharedObjects()

    def note(self, library: str) -> None:
        """Reads the state of a library that has just been imported, before its importer changes it.

        Args:
            library: one of `LIBRARIES`.
        """
        for watched in _WATCHED:
            if self._before[watched.name] is _ABSENT:
                self._before[watched.name] = _read(watched)
        self._shared.note(library)

    def put_back(self) -> list[str]:
        """Restores what has changed and returns its names."""
        if self._is_as_before():
            return self._shared.put_back()
        changed = []
        for watched in _WATCHED:
            now, before = _read(watched), self._before[watched.name]
            if now is _ABSENT:
                continue
            if before is _ABSENT:
                before = self._before[watched.name] = watched.fresh if watched.fresh is not _ABSENT else now
            if _same(now, before):
                continue
            changed.append(watched.name)
            # State that cannot be restored is reported too.
            with contextlib.suppress(Exception):
                watched.restore(before)
            if watched.stays:
                self._before[watched.name] = now
        if "environment variables" in changed:
            _restore_environment(self._environment)
        return [*changed, *self._shared.put_back()]

    def _is_as_before(self) -> bool:
        # Nearly every pack changes nothing, and there may be a thousand of them.
        try:
            return all(watched.read() == self._before[watched.name] for watched in _WATCHED)
        except Exception:
            return False


def _read(watched: _Watched) -> Any:
    # A pack may have replaced what is read here by an arbitrary object.
    try:
        return watched.read()
    except Exception:
        return _ABSENT


def _same(now: Any, before: Any) -> bool:
    try:
        return now is before or bool(now == before)
    except Exception:
        return repr(now) == repr(before)
