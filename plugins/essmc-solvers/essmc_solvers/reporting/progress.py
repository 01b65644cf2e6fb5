"""The line of progress on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from essmc_solvers.text import leading_parts

_REFRESH = 0.1
_BAR = 20
_NARROW_BAR = 8
# Terminals below this width get the narrow bar.
_WIDE = 100


class Progress:
    """Shows nothing: what is used where standard output is no terminal."""

    is_live = False

    def start(self, title: str, done: int, total: int | None) -> None:
        """Begins a pass."""

    def advance(self, done: int, parts: Sequence[str] | None = None) -> None:
        """Shows how far the pass has come, and perhaps new figures behind it, the most important first."""

    def stop(self) -> None:
        """Takes the line away."""


class RichProgress(Progress):
    """A bar with the figures behind it, drawn by rich a few times a second."""

    is_live = True

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._shown = 0.0
        self._taken = 0

    def start(self, title: str, done: int, total: int | None) -> None:
        """Begins a pass."""
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        self.stop()
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=_BAR), MofNCompleteColumn())
        self._bar = Bar(*columns, TextColumn("{task.fields[text]}", markup=False), transient=True)
        self._taken = len(title) + len(f"{total or '?'}") * 2 + 1
        self._task = self._bar.add_task(title, total=total, completed=done, text="")
        self._bar.start()

    def advance(self, done: int, parts: Sequence[str] | None = None) -> None:
        """Shows how far the pass has come, and perhaps new figures behind it, the most important first."""
        now = time.perf_counter()
        if self._bar is None or (parts is None and now - self._shown < _REFRESH):
            return
        self._shown = now
        changed = {} if parts is None else {"text": self._fitted(parts)}
        self._bar.update(self._task, completed=done, **changed)

    def _fitted(self, parts: Sequence[str]) -> str:
        """Returns the figures there is room for, once title, bar and count of steps have theirs."""
        width = self._bar.console.width
        bar = _BAR if width >= _WIDE else _NARROW_BAR
        self._bar.columns[1].bar_width = bar
        # Three gaps of one, and the last cell, at which some terminals begin a new line.
        return leading_parts(parts, width - self._taken - bar - 4)

    def stop(self) -> None:
        """Takes the line away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def make_progress(wanted: bool | None) -> Progress:
    """Returns a line of progress if it is wanted; None wants it where standard output is a terminal."""
    return RichProgress() if wanted or (wanted is None and sys.stdout.isatty()) else Progress()
