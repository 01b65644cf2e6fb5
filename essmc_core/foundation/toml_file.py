"""Reads a TOML file, by Python's own reader where it has one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def read_toml(path: Path) -> dict[str, Any]:
    """Returns the tables of a TOML file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not TOML in UTF-8.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    tables: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return tables
