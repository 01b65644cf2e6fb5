"""What is checked of every input file before it is opened."""

from __future__ import annotations

from pathlib import Path

from essmc_core.errors import InputError
from essmc_core.inputs.spec import InputSpec


def check_file(path: Path, spec: InputSpec) -> Path:
    """Returns the path, if it is a file with content.

    Raises:
        InputError: it is missing, a directory, or empty.
    """
    expanded = path.expanduser()
    if not expanded.exists():
        raise InputError(f"There is no file {expanded}.", hint=f"The model takes {spec}.")
    if expanded.is_dir():
        raise InputError(f"{expanded} is a directory.", hint=f"The model takes {spec}.")
    if expanded.stat().st_size == 0:
        raise InputError(f"{expanded} is an empty file.", hint=f"The model takes {spec}.")
    return expanded
