"""Finds the source file of a module without importing it or its parents."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def source_file(module: str) -> Path | None:
    """Returns the source file of a dotted module name, None if there is none to read.

    The finder is called for the top-level package only: for a dotted name it would import the parents.
    """
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    # The source cannot be located if a module in sys.modules has no spec or a finder fails.
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for root in spec.submodule_search_locations or ():
        below = Path(root, *rest)
        for candidate in (below / "__init__.py", below.with_suffix(".py")):
            if candidate.is_file():
                return candidate
    return None


def source_text(module: str) -> str:
    """Returns the source of a module, empty if it cannot be read."""
    path = source_file(module)
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
