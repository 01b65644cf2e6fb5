"""Files named by a text file, one path a line."""

from __future__ import annotations

import os
from pathlib import Path

from essmc_core.errors import InputError
from essmc_core.inputs.files import checked_file

SUFFIX = ".txt"


def is_path_list(path: str | os.PathLike[str]) -> bool:
    """Tells by its suffix whether an existing file is a list of paths."""
    try:
        return Path(path).suffix.lower() == SUFFIX and Path(path).is_file()
    except (OSError, ValueError):
        return False


def read_path_list(path: str | os.PathLike[str]) -> list[Path]:
    """Returns the paths in a list, in its order; relative ones begin at the folder that the list is in.

    Args:
        path: a text file in UTF-8 with one path a line; empty lines are left out.

    Raises:
        InputError: it cannot be read, or names nothing.
    """
    file = checked_file(path)
    try:
        # Other characters that end lines of text may be part of a file's name.
        lines = file.read_text(encoding="utf-8-sig", errors="surrogateescape").split("\n")
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from error
    found = [file.parent / line.removesuffix("\r") for line in lines if line.strip()]
    if any("\0" in str(one) for one in found):
        raise InputError(f"{file} is no list of paths: it holds a null character.")
    if not found:
        raise InputError(f"{file} names no file.", hint="It has one path a line.")
    return found
