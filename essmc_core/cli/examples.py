"""The examples that the help of a command ends with."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """Returns the ``epilog`` of a command: its examples, one a line, which terminals of any width leave as they are.

    Args:
        lines: whole commands, ``essmc`` included; under 57 characters they fit a narrow terminal.
    """
    # The backspace alone in a line is click's mark of a paragraph that is not wrapped.
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
