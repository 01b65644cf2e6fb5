"""Examples at the end of a command's help."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """Returns the ``epilog`` of a command: its examples, one per line, not wrapped at any terminal width.

    Args:
        lines: whole commands, ``essmc`` included; under 57 characters they fit a narrow terminal.
    """
    # A backspace alone in a line is click's mark for a paragraph that is not wrapped.
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
