"""The line of progress on a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

_REFRESH = 0.1


class Progress:
    """Shows nothing: what is used where standard output is no terminal."""

    is_live = False

    def start(self, title: str, done: int, total: int | None) -> None:
        """Begins a pass."""

    def advance(self, done: int, text: str | None = None) -> None:
        """Shows how far the pass has come, and perhaps a new text behind it."""

    def stop(self) -> None:
        """Takes the line away."""


class RichProgress(Progress):
    """A bar with the figures behind it, drawn by rich a few times a second."""

    is_live = True

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._shown = 0.0

    def start(self, title: str, done: int, total: int | None) -> None:
        """Begins a pass."""
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        self.stop()
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn())
        self._bar = Bar(*columns, TextColumn("{task.fields[text]}", markup=False), transient=True)
        self._task = self._bar.add_task(title, total=total, completed=done, text="")
        self._bar.start()

    def advance(self, done: int, text: str | None = None) -> None:
        """Shows how far the pass has come, and perhaps a new text behind it."""
        now = time.perf_counter()
        if self._bar is None or (text is None and now - self._shown < _REFRESH):
            return
        self._shown = now
        changed = {} if text is None else {"text": text}
        self._bar.update(self._task, completed=done, **changed)

    def stop(self) -> None:
        """Takes the line away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def make_progress(wanted: bool | None) -> Progress:
    """Returns a line of progress if it is wanted; None wants it where standard output is a terminal."""
    return RichProgress() if wanted or (wanted is None and sys.stdout.isatty()) else Progress()
