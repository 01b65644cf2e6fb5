"""The zoo entries that have a file each: those of tables are too many to build, and are held by tests of their own."""

from __future__ import annotations

import essmc_core


def written_entries(**conditions: object) -> list[str]:
    """Returns names as `essmc_core.list_models` does, without those of entries that a table makes."""
    names: list[str] = essmc_core.list_models(**conditions)  # type: ignore[arg-type]
    return [name for name in names if essmc_core.ZOO.entry(name).file is not None]
