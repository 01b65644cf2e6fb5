"""``metrics.jsonl``: one JSON object a line, to append to and to cut back to an earlier state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from essmc_core.foundation.json_values import to_json


class MetricsFile:
    """A file of records.

    Args:
        path: the file; it is made with the first record.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def append(self, record: Mapping[str, Any]) -> None:
        """Writes a record; what is not a finite number becomes null, which JSON has."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(to_json(record, ensure_ascii=True) + "\n")

    def cut(self, size: int) -> None:
        """Removes all records after the first bytes, a half-written one among them."""
        if self.size > size:
            with self.path.open("r+b") as file:
                file.truncate(size)


def read_records(path: Path) -> list[dict[str, Any]]:
    """Returns the records of a file; a last line that was cut short is left out."""
    records = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records
