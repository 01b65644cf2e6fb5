"""Where a value was written: the file, line and column that messages refer to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Location:
    """The position of a value.

    Attributes:
        source: a file path, or a name such as ``override 'model.depth=50'`` if there is no file.
        line: 1-based line; 0 if the source has no lines.
        column: 1-based column; 0 if the source has no columns.
    """

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.source
        if not self.column:
            return f"{self.source}:{self.line}"
        return f"{self.source}:{self.line}:{self.column}"
