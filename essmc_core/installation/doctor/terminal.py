"""The terminal: how wide it is, whether it shows colours, which characters it can show."""

from __future__ import annotations

import os
import shutil
import sys

from essmc_core.installation.doctor.section import Section

_NEEDED = "×→é"
_NARROW = 60


def terminal_section() -> Section:
    """Returns width, colours and encoding of the standard output."""
    section = Section("Terminal")
    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size((0, 0)).columns
    encoding = sys.stdout.encoding or "unknown"
    section.facts = {
        "output": "a terminal" if is_terminal else "a file or pipe",
        "width": f"{width} columns" if width else "unknown",
        "colours": _colours(is_terminal),
        "encoding": encoding,
    }
    try:
        _NEEDED.encode(encoding)
    except (LookupError, UnicodeEncodeError):
        section.problem(f"the output's encoding {encoding} lacks characters such as ×", "set PYTHONIOENCODING=utf-8")
    if is_terminal and 0 < width < _NARROW:
        section.note(f"at {width} columns tables lose most of theirs", "widen the terminal, or use --json")
    return section


def _colours(is_terminal: bool) -> str:
    if os.environ.get("NO_COLOR"):
        return "no (NO_COLOR)"
    if os.environ.get("TERM") in ("dumb", "unknown"):
        return "no (TERM)"
    return "yes" if is_terminal else "no"
