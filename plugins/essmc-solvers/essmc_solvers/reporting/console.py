"""Log lines on standard output."""

from __future__ import annotations

import sys


def print_line(text: str) -> None:
    """Prints a line at once, for whoever follows a log file."""
    print(text, file=sys.stdout, flush=True)
