"""How commands show things: a rich table on a terminal, plain columns in a pipe, JSON when asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """Adds ``--json`` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def write_json(value: object) -> None:
    """Prints a value as JSON, UTF-8 and indented."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def write_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "", footer: str = "") -> None:
    """Prints rows under headings.

    On a terminal the table is drawn by rich; in a pipe it is one line a row, columns padded, no headings lost and
    nothing cut, and the footer goes to standard error.

    Args:
        columns: headings; one that starts with ``>`` is aligned to the right.
        rows: cells, turned into text by ``str``; None becomes empty.
        title: drawn over the table on a terminal.
        footer: a closing remark, e.g. a count.
    """
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _write_rich(columns, cells, title, footer)
    else:
        _write_plain(columns, cells)
        if footer and sys.stderr.isatty():
            click.echo(footer, err=True)


def _write_plain(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    right = [column.startswith(">") for column in columns]
    table = [[column.lstrip(">") for column in columns], *cells]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        parts = [
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    click.echo("\n".join(lines))


def _write_rich(columns: Sequence[str], cells: Sequence[Sequence[str]], title: str, footer: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, box=SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False)
    for index, column in enumerate(columns):
        right = column.startswith(">")
        style = "cyan" if index == 0 else None
        table.add_column(column.lstrip(">"), justify="right" if right else "left", overflow="fold", style=style)
    for row in cells:
        table.add_row(*map(Text, row))
    console = Console()
    console.print(table)
    if footer:
        console.print(Text(footer, style="dim"))


def human(count: float | None) -> str:
    """Returns a number as people write it: ``27.49 M``; empty for None."""
    if count is None:
        return ""
    for unit, size in (("G", 1e9), ("M", 1e6), ("K", 1e3)):
        if abs(count) >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count:.0f}"


class HumanNumber(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A number that may end in K, M, G or T."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Returns the number; ``30M`` is 30 million."""
        if isinstance(value, float):
            return value
        text = str(value).strip().upper()
        scale = {"K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}.get(text[-1:], 1.0)
        try:
            return float(text[:-1] if scale != 1.0 else text) * scale
        except ValueError:
            self.fail(f"{value!r} is not a number such as 30M or 4.5G", param, ctx)
