"""Which line of a pack a process was in when it crashed or was ended, from the stacks on its standard error."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_FRAME = re.compile(r'^  File "(.+)", line (\d+) in (.+)$', re.MULTILINE)


def culprit(errors: str, packages: Iterable[Path]) -> str:
    """Returns ``essmc_x/head.py:12, in forward``; empty if no stack shows code of the pack.

    Args:
        errors: what `faulthandler` wrote, the innermost frame first.
        packages: folders, or single files, of the pack's code.
    """
    roots = [path.resolve() for path in packages]
    for file, line, function in _FRAME.findall(errors):
        path = Path(file).resolve()
        for root in roots:
            if path == root or path.is_relative_to(root):
                return f"{path.relative_to(root.parent)}:{line}, in {function}"
    return ""
