"""Where a value was written: the file, line and column that messages point at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Location:
    """A place a user can open in an editor.

    Attributes:
        source: a file path, or a name such as ``override 'model.depth=50'`` where there is no file.
        line: 1-based line; 0 where the source has no lines.
        column: 1-based column; 0 where the source has no columns.
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
