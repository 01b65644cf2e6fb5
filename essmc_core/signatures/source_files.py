"""Where a module's source lies, found without importing it or its parents."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def source_file(module: str) -> Path | None:
    """Returns the source file of a dotted module name, None where there is none to read.

    The finder runs for the top-level package only: that of a dotted name would import its parents.
    """
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    # A module in sys.modules without a spec, or a finder that fails, is a module whose source cannot be told.
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
    """Returns the source of a module, empty where it cannot be read."""
    path = source_file(module)
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
