"""Files of rows that grow one row at a time: what was written is there after a kill, and a torn last row is mended."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from essmc_core.errors import EssmcError
from essmc_core.models.many.row import COLUMNS, Row


class RowFileError(EssmcError, ValueError):
    """A file that rows were to be added to, and that holds something else."""


class RowFile(ABC):
    """A file to which rows are appended.

    Args:
        path: the file; it is made if it does not exist.

    Raises:
        RowFileError: it holds something else than rows.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("ab+")
        try:
            self._mend()
        except BaseException:
            self._file.close()
            raise

    def _mend(self) -> None:
        """Drops what was being written when the program ended; nobody has been told that it is done."""
        self._file.seek(0)
        whole = self.whole_part(self._file.read())
        self._file.truncate(whole)
        if not whole:
            self._file.write(self.head())
            self._file.flush()

    @staticmethod
    def whole_part(content: bytes) -> int:
        """Returns how many bytes the whole rows of a file are, its head included."""
        return content.rfind(b"\n") + 1

    def head(self) -> bytes:
        """Returns what stands before the first row."""
        return b""

    @abstractmethod
    def encoded(self, row: Row) -> bytes:
        """Returns a row with the end of its line."""

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Yields the rows that are there.

        Raises:
            RowFileError: something else is there.
        """

    def append(self, row: Row) -> None:
        """Adds a row, which is in the file when this returns."""
        self._file.write(self.encoded(row))
        self._file.flush()

    def text(self) -> str:
        """Returns what is in the file."""
        self._file.seek(0)
        try:
            return self._file.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.foreign() from error

    def foreign(self) -> RowFileError:
        """Returns what is raised of a file that holds something else."""
        return RowFileError(f"{self.path} is no file of predictions.", hint="Name another file, or remove it.")

    def __enter__(self) -> RowFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


class JsonLines(RowFile):
    """A JSON object a line, without what a row has not."""

    def encoded(self, row: Row) -> bytes:
        """Returns a line; see `RowFile.encoded`."""
        return self.line(row).encode()

    @staticmethod
    def line(row: Row) -> str:
        """Returns the text of a row with the end of its line."""
        given = {key: value for key, value in row.items() if value is not None}
        return json.dumps(given, ensure_ascii=False) + "\n"

    def rows(self) -> Iterator[Row]:
        """Yields the rows; see `RowFile.rows`."""
        # Not splitlines(), which ends lines at characters that JSON leaves in strings.
        for line in self.text().split("\n")[:-1]:
            try:
                row = json.loads(line)
            except ValueError as error:
                raise self.foreign() from error
            if not isinstance(row, Mapping) or not isinstance(row.get("path"), str):
                raise self.foreign()
            yield {key: row.get(key) for key in COLUMNS}


class CsvRows(RowFile):
    """Comma-separated values below a line of names; lists are JSON."""

    @staticmethod
    def whole_part(content: bytes) -> int:
        """Returns how many bytes whole rows are; a line that ends within quotes is not the end of a row."""
        whole, quotes, start = 0, 0, 0
        while (end := content.find(b"\n", start)) >= 0:
            quotes += content.count(b'"', start, end)
            start = end + 1
            whole = start if quotes % 2 == 0 else whole
        return whole

    def head(self) -> bytes:
        """Returns the names; see `RowFile.head`."""
        return _csv_line(list(COLUMNS))

    def encoded(self, row: Row) -> bytes:
        """Returns a row; see `RowFile.encoded`."""
        return _csv_line([as_cell(row[key]) for key in COLUMNS])

    def rows(self) -> Iterator[Row]:
        """Yields the rows; see `RowFile.rows`."""
        found = csv.DictReader(io.StringIO(self.text(), newline=""))
        if found.fieldnames != list(COLUMNS):
            raise self.foreign()
        for row in found:
            yield {key: from_cell(key, row[key] or None) for key in COLUMNS}


def _csv_line(cells: list[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()


def as_cell(value: object) -> object:
    """Returns a value of a row for formats that have no lists."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value


def from_cell(key: str, cell: str | None) -> object:
    """Returns what `as_cell` and a file made of a value."""
    if cell is None:
        return None
    if key == "score":
        return float(cell)
    return json.loads(cell) if key in ("predictions", "segments") else cell
