"""Formatting of numbers and JSON in commands, and parsing of abbreviated numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from essmc_core.foundation.json_values import to_json

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """Adds ``--json`` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def write_json(value: object) -> None:
    """Prints a value as JSON, UTF-8 and indented; numbers that are not finite become null."""
    click.echo(to_json(value, indent=2))


def human(count: float | None) -> str:
    """Returns a number in abbreviated form: ``27.49 M``; empty for None."""
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
