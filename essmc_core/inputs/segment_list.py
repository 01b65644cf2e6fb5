"""Segments of a video from a file: a CSV with columns ``start`` and ``end``, in seconds, as `essmc shots -o` writes."""

from __future__ import annotations

import csv
import os

from essmc_core.errors import InputError
from essmc_core.inputs.files import checked_file
from essmc_core.location import Location

_HINT = "Its first line names the columns, `start` and `end` among them; each other line is a segment, in seconds."


def read_segments(path: str | os.PathLike[str]) -> list[tuple[float, float]]:
    """Returns where each segment begins and ends.

    Args:
        path: a CSV file in UTF-8, whose other columns are left out.

    Raises:
        InputError: it is missing, or is no such list; the message names the line.
    """
    name = os.fspath(path)
    found: list[tuple[float, float]] = []
    try:
        with open(checked_file(path), newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if not {"start", "end"} <= set(rows.fieldnames or ()):
                raise InputError("This is no list of segments.", where=Location(name, 1), hint=_HINT)
            for row in rows:
                try:
                    found.append((float(row["start"]), float(row["end"])))
                except (TypeError, ValueError) as error:
                    shown = f"{row['start']!r}, {row['end']!r}"
                    message = f"The segment's beginning and end are {shown}, not two numbers."
                    raise InputError(message, where=Location(name, rows.line_num), hint=_HINT) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{name} is no list of segments: {error}.", hint=_HINT) from error
    if not found:
        raise InputError("There is no segment below the first line.", where=Location(name, 1), hint=_HINT)
    return found
