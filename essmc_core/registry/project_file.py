"""What ``[tool.essmc]`` of the nearest ``pyproject.toml`` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essmc_core.errors import ConfigError
from essmc_core.foundation.toml_file import read_toml
from essmc_core.location import Location


@dataclass(frozen=True, slots=True)
class ProjectTable:
    """The table of a project.

    Attributes:
        file: its ``pyproject.toml``.
        values: what the table holds; empty if there is none.
    """

    file: Path
    values: Mapping[str, Any]

    @property
    def where(self) -> Location:
        """The file, for messages."""
        return Location(str(self.file))


def project_table() -> ProjectTable | None:
    """Reads the file in the current folder or the nearest above it; None if there is none.

    Raises:
        ConfigError: the file is not TOML.
    """
    here = Path.cwd()
    file = next((path for folder in (here, *here.parents) if (path := folder / "pyproject.toml").is_file()), None)
    if file is None:
        return None
    try:
        tables = read_toml(file)
    except ValueError as error:
        raise ConfigError(f"not TOML: {error}", where=Location(str(file))) from error
    return ProjectTable(file, tables.get("tool", {}).get("essmc", {}))
