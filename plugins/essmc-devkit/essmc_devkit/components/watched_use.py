"""Builds a component and uses it once, watching what it prints, changes, fetches, writes and seeds."""

from __future__ import annotations

import contextlib
import io
import random
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

from essmc_devkit.audit_events import described, own_line
from essmc_devkit.components.process_changes import RANDOM, ProcessChanges

_SEED = 20_011


@dataclass(frozen=True)
class WatchedUse:
    """What was seen.

    Attributes:
        output: what was printed, while it was built or used.
        changed: state of the process that is something else.
        seeded: generators of random numbers whose seeds were set.
        acts: what it did that outlives it: connections, files.
        error: what building it raised.
        is_nothing: whether it was built as None.
    """

    output: str
    changed: tuple[str, ...]
    seeded: tuple[str, ...]
    acts: tuple[str, ...]
    error: Exception | None = None
    is_nothing: bool = False


def watch(module: str, build: Callable[[int], Any], usage: Callable[[Any], Callable[[], object]]) -> WatchedUse:
    """Builds a component and uses it once; what its use raises is left to other checks.

    Args:
        module: of the component; changes that other libraries' imports make do not count.
        build: builds it under a seed.
        usage: makes ready what is used with, and returns what uses it.
    """
    import numpy as np
    import torch

    printed, seeded, made, failure = io.StringIO(), [], None, None
    acts = _listener()
    changes = ProcessChanges({module.partition(".")[0]})

    def note(whose: str) -> None:
        if not changes.is_importing:
            seeded.append(whose)

    with (
        patch.object(random, "seed", _noting(random.seed, lambda: note("Python's"))),
        patch.object(np.random, "seed", _noting(np.random.seed, lambda: note("numpy's"))),
        changes,
        acts.hearing(_roots(module)) as heard,
        contextlib.redirect_stdout(printed),
    ):
        torch.manual_seed(_SEED)
        try:
            made = build(_SEED)
        except Exception as error:
            failure = error
        is_seeded, by_building = torch.initial_seed() != _SEED, len(seeded)
        if failure is None:
            use: Callable[[], object] | None = None
            with contextlib.suppress(Exception):
                use = usage(made)
            # What made its inputs ready may have seeded.
            del seeded[by_building:]
            torch.manual_seed(_SEED)
            if use is not None:
                with contextlib.suppress(Exception):
                    use()
            is_seeded = is_seeded or torch.initial_seed() != _SEED
        if is_seeded:
            seeded.append("torch's")
    changed = tuple(name for name in changes.names if name not in RANDOM)
    return WatchedUse(
        output=printed.getvalue().strip(),
        changed=changed,
        seeded=tuple(dict.fromkeys(seeded)),
        acts=tuple(dict.fromkeys(heard)),
        error=failure,
        is_nothing=failure is None and made is None,
    )


def _noting(function: Callable[..., Any], note: Callable[[], object]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        note()
        return function(*arguments, **named)

    return call


def _roots(module: str) -> list[Path]:
    """Returns the folder of a module's package, or the file of one that is in none."""
    for name in (module.partition(".")[0], module):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file:
            path = Path(file).resolve()
            return [path.parent if path.stem == "__init__" else path]
    return []


class _Listener:
    """The one audit hook of the process, which cannot be removed and hears nothing unless it is asked to."""

    def __init__(self) -> None:
        self._heard: list[str] | None = None
        self._roots: Collection[Path] = ()
        sys.addaudithook(self._hear)

    @contextlib.contextmanager
    def hearing(self, roots: list[Path]) -> Iterator[list[str]]:
        """Yields a list that grows by what is done; of files, by the code below some folders alone."""
        heard: list[str] = []
        self._roots, self._heard = roots, heard
        try:
            yield heard
        finally:
            self._heard = None

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        heard = self._heard
        if heard is None:
            return
        did = described(event, arguments)
        if did:
            # What is looked up here raises further events.
            self._heard = None
            if line := _line(sys._getframe(1), did, list(self._roots)):
                heard.append(f"{did} ({line})")
            self._heard = heard


def _line(frame: FrameType | None, did: str, roots: list[Path]) -> str:
    """Returns the line of the component that did something: itself, or over the network through another library."""
    if not did.startswith(("uses the network", "fetches")):
        return own_line(frame, roots)
    first = frame
    while frame is not None:
        if any(Path(frame.f_code.co_filename).is_relative_to(root) for root in roots):
            return own_line(frame, roots)
        frame = frame.f_back
    return f"{first.f_code.co_filename}:{first.f_lineno}" if first is not None else "unknown"


@cache
def _listener() -> _Listener:
    return _Listener()
