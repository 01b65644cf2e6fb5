"""Tables that zoo entries are made from: a file of rows, or a function that returns them."""

from __future__ import annotations

import csv
import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from essmc_core.errors import ConfigError, ConfigFileNotFound, EssmcError
from essmc_core.location import Location
from essmc_core.registry.declared import check_name
from essmc_core.registry.targets import import_target, is_target

NAME = "name"
"""The column that names the entries."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One row of a table.

    Attributes:
        name: name of the entry.
        values: its columns.
        where: the row's place, for messages.
        problem: why no entry can be made of it; None if nothing is wrong.
    """

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    where: Location | None = None
    problem: ConfigError | None = None


def read_table(source: str | Path, pack: str) -> list[Row]:
    """Returns the rows of a table; rows without a valid name, or with one that is taken, carry their problem.

    Args:
        source: a ``.csv`` file, whose first line names the columns, a ``.jsonl`` file with one mapping a line, or
            ``"package.module:function"``, which returns `Row` objects or mappings. One column is ``name``.
        pack: short name of the pack, for messages.

    Raises:
        ConfigFileNotFound: there is no such file.
        ConfigError: it cannot be read as a table, or the function fails.
    """
    rows = _of_function(str(source), pack) if is_target(source) else _of_file(Path(source))
    return list(_named(rows))


def _of_file(path: Path) -> Iterator[Row]:
    from essmc_core.config.files import read_text

    readers = {".csv": _csv_rows, ".jsonl": _json_rows}
    if path.suffix not in readers:
        raise ConfigError(f"the table {path} is neither .csv nor .jsonl", hint='or name a function, "module:function"')
    if not path.is_file():
        raise ConfigFileNotFound(f"the table {path} does not exist")
    yield from readers[path.suffix](path, read_text(path, None))


def _csv_rows(path: Path, text: str) -> Iterator[Row]:
    lines = csv.reader(text.splitlines(), strict=True)
    try:
        columns = next(lines, [])
        if NAME not in columns or len(set(columns)) < len(columns):
            message = f"the first line of a table names its columns, each once, and one of them is `{NAME}`"
            raise ConfigError(message, where=Location(str(path), 1))
        for cells in lines:
            where = Location(str(path), lines.line_num)
            if not cells:
                continue
            values = dict(zip(columns, cells, strict=False))
            problem = None
            if len(cells) != len(columns):
                message = f"the row has {len(cells)} cells, and there are {len(columns)} columns"
                problem = ConfigError(message, where=where)
            yield Row(values.get(NAME, ""), _Cells(values, where), where, problem)
    except csv.Error as error:
        raise ConfigError(f"the table cannot be read: {error}", where=Location(str(path), lines.line_num)) from error


class _Cells(Mapping[str, Any]):
    """The values of a row of text, each read when it is asked for."""

    def __init__(self, texts: Mapping[str, str], where: Location) -> None:
        self.texts = texts
        self.where = where

    def __getitem__(self, column: str) -> Any:
        text = self.texts[column]
        try:
            return text if column == NAME else _cell(text)
        except ConfigError as error:
            message = f"the column {column!r} cannot be read: {error.message}"
            raise ConfigError(message, where=self.where, hint=error.hint) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)

    def __len__(self) -> int:
        return len(self.texts)


@functools.lru_cache(maxsize=4096)
def _cell(text: str) -> Any:
    """Returns the value of a cell: a YAML scalar, or a list or mapping in brackets."""
    from essmc_core.config.reader import read_yaml
    from essmc_core.config.scalars import resolve_plain

    stripped = text.strip()
    if not stripped.startswith(("[", "{", '"', "'")):
        return resolve_plain(stripped)
    from essmc_core.config import Config
    from essmc_core.config.tree import Entry, MappingNode

    node = read_yaml(stripped, "a cell", is_file=False)
    assert node is not None
    return Config.from_node(MappingNode({"cell": Entry(None, node)}, None)).to_dict()["cell"]


def _json_rows(path: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.splitlines(), start=1):
        where = Location(str(path), number)
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except ValueError as error:
            yield Row("", {}, where, ConfigError(f"the row is not JSON: {error}", where=where))
            continue
        yield _as_row(values, where)


def _as_row(values: object, where: Location) -> Row:
    if not isinstance(values, Mapping):
        return Row("", {}, where, ConfigError(f"a row is a mapping, not {type(values).__name__}", where=where))
    return Row(values.get(NAME, ""), values, where)


def _of_function(target: str, pack: str) -> Iterator[Row]:
    function = import_target(target, f"a zoo table of {pack}", pack)
    try:
        found: Iterable[Any] = list(function())
    except EssmcError:
        raise
    # Any failure of a pack's function is the pack's, and other packs' entries are listed.
    except Exception as error:
        message = f"the zoo table {target} cannot be made: {type(error).__name__}: {error}"
        raise ConfigError(message, hint=f"mend or upgrade the pack {pack}") from error
    for number, row in enumerate(found, start=1):
        yield row if isinstance(row, Row) else _as_row(row, Location(target, number))


def _named(rows: Iterable[Row]) -> Iterator[Row]:
    """Yields rows with usable names; one whose name cannot be used is called by its line and carries the problem."""
    taken: dict[str, Location | None] = {}
    for number, row in enumerate(rows, start=1):
        problem = row.problem
        try:
            check_name(row.name, "the name of a zoo entry")
            if row.name in taken:
                raise ConfigError(f"the table has an entry {row.name!r} already, at {taken[row.name]}")
        except EssmcError as error:
            name = f"line-{row.where.line if row.where and row.where.line else number}"
            yield Row(name, row.values, row.where, problem or ConfigError(error.message, where=row.where))
            continue
        taken[row.name] = row.where
        yield row
