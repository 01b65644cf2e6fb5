"""Tables that never truncate names: on a narrow terminal the least important columns are left out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress

import click

# One character of padding, one that rich draws between columns.
_GAP = 2
# A narrower column of prose is not readable.
_LEAST_PROSE = 24


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        heading: text above it.
        right: whether it is aligned to the right, for numbers.
        prose: whether its text may be wrapped at spaces; other text is never wrapped, so that it can be copied.
        gives_way: 0 for columns that are always shown; of the others those with the highest number are left out first.
    """

    heading: str
    right: bool = False
    prose: bool = False
    gives_way: int = 0


def write_table(
    columns: Sequence[str | Column], rows: Sequence[Sequence[object]], *, title: str = "", footer: str = ""
) -> None:
    """Prints rows under headings.

    On a terminal the table is drawn by rich and fits its width: prose is wrapped, then columns are left out by
    ``gives_way``, which the last line states. In a pipe each row is one line of padded columns, none is left out, and
    the footer goes to standard error.

    Args:
        columns: columns, or headings of columns that are always shown; one that starts with ``>`` is aligned to the
            right.
        rows: cells, turned into text by ``str``; None becomes empty.
        title: shown above the table on a terminal.
        footer: a closing remark, e.g. a count.
    """
    described = [column if isinstance(column, Column) else _from_heading(column) for column in columns]
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _write_rich(described, cells, title, footer)
    else:
        _write_plain(described, cells)
        if footer and sys.stderr.isatty():
            click.echo(footer, err=True)


def _from_heading(heading: str) -> Column:
    return Column(heading.removeprefix(">"), right=heading.startswith(">"))


def fit(columns: Sequence[Column], cells: Sequence[Sequence[str]], available: int) -> list[int]:
    """Returns the width of each column, 0 for those that are left out.

    Prose is narrowed first, then columns are left out by ``gives_way``, and prose is given the space that becomes free.
    Columns that can be neither narrowed nor left out can make the table wider than ``available``.

    Args:
        columns: the columns of the table.
        cells: text by row and column.
        available: characters of a line.
    """
    full = [max(_length(text) for text in (column.heading, *texts)) for column, texts in _by_column(columns, cells)]
    least = [
        min(width, max(_LEAST_PROSE, *(_longest_word(text) for text in (column.heading, *texts))))
        if column.prose
        else width
        for (column, texts), width in zip(_by_column(columns, cells), full, strict=True)
    ]
    shown = [True] * len(columns)
    while _total(compress(least, shown)) > available:
        candidates = [index for index in compress(range(len(columns)), shown) if columns[index].gives_way]
        if not candidates:
            break
        shown[max(candidates, key=lambda index: (columns[index].gives_way, index))] = False
    spare = max(0, available - _total(compress(least, shown)))
    widths = []
    for index, is_shown in enumerate(shown):
        more = min(spare, full[index] - least[index]) if is_shown else 0
        spare -= more
        widths.append(least[index] + more if is_shown else 0)
    return widths


def _by_column(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> list[tuple[Column, list[str]]]:
    return [(column, [row[index] for row in cells]) for index, column in enumerate(columns)]


def _total(widths: Iterable[int]) -> int:
    listed = list(widths)
    return sum(listed) + _GAP * max(0, len(listed) - 1)


def _length(text: str) -> int:
    """Returns the number of terminal cells of a text: wide characters take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _longest_word(text: str) -> int:
    return max(map(_length, text.split()), default=0)


def _write_plain(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
    table = [[column.heading for column in columns], *cells]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        parts = [
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    click.echo("\n".join(lines))


def _write_rich(columns: Sequence[Column], cells: Sequence[Sequence[str]], title: str, footer: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    widths = fit(columns, cells, console.width)
    shown = [width > 0 for width in widths]
    table = Table(
        title=Text(title) if title else None, title_justify="left", title_style="bold", box=SIMPLE_HEAD,
        show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0),
    )  # fmt: skip
    for number, (column, width) in enumerate(compress(zip(columns, widths, strict=True), shown)):
        table.add_column(
            column.heading, justify="right" if column.right else "left", no_wrap=not column.prose, overflow="fold",
            width=width, style=None if number else "cyan",
        )  # fmt: skip
    for row in cells:
        table.add_row(*(Text(cell) for cell in compress(row, shown)))
    # A terminal wraps long lines in a way that can still be copied; rich would truncate the names.
    Console(width=max(console.width, _total(compress(widths, shown)))).print(table)
    hidden = [column.heading for column, is_shown in zip(columns, shown, strict=True) if not is_shown]
    remarks = [footer, f"no room for {', '.join(hidden)}" if hidden else ""]
    if any(remarks):
        console.print(Text("; ".join(filter(None, remarks)), style="dim"))
