"""What is being done, in one line on a terminal, and nothing where there is none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def status(text: str, shown: bool = True) -> Iterator[Callable[[str], object]]:
    """Shows a line on standard error while the block runs, if that is a terminal.

    Args:
        text: what it says at first.
        shown: whether to show it at all.

    Yields:
        A function to call with what it says next.
    """
    if not (shown and sys.stderr.isatty()):
        yield lambda text: None
        return
    from rich.console import Console

    with Console(stderr=True).status(text, spinner_style="cyan") as line:
        yield lambda text: line.update(text)
