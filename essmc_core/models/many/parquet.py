"""Parquet, which can only be written whole: from rows that were gathered in a file of lines."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from essmc_core.errors import MissingDependency
from essmc_core.foundation.atomic import replacing
from essmc_core.models.many.row import COLUMNS, Row
from essmc_core.models.many.row_file import RowFileError, as_cell, from_cell


def require_parquet() -> None:
    """Checks that what writes Parquet is installed.

    Raises:
        MissingDependency: it is not.
    """
    try:
        import pyarrow.parquet  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: F401
    except ImportError as error:
        message = "Parquet files are written by pyarrow, which is not installed."
        raise MissingDependency(message, hint="pip install 'essmc-core[parquet]'") from error


def write_parquet(path: Path, rows: Iterable[Row]) -> None:
    """Replaces a Parquet file atomically by one with these rows."""
    import pyarrow  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from pyarrow import parquet

    types = {"string": pyarrow.string(), "double": pyarrow.float64()}
    schema: Any = pyarrow.schema([(key, types[kind]) for key, kind in COLUMNS.items()])
    listed = [{key: as_cell(value) for key, value in row.items()} for row in rows]
    with replacing(path) as temporary:
        parquet.write_table(pyarrow.Table.from_pylist(listed, schema), temporary)


def read_parquet(path: Path) -> list[Row]:
    """Returns the rows of a Parquet file that `write_parquet` wrote.

    Raises:
        RowFileError: it is something else.
    """
    import pyarrow  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from pyarrow import parquet

    try:
        table: Any = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise RowFileError(f"{path} is no Parquet file: {error}.", hint="Name another file, or remove it.") from error
    if table.column_names != list(COLUMNS):
        raise RowFileError(f"{path} is no file of predictions.", hint="Name another file, or remove it.")
    return [
        {key: row[key] if key == "score" else from_cell(key, row[key]) for key in COLUMNS} for row in table.to_pylist()
    ]
