"""Warnings as lines for users, without the source lines that raised them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Shows each Python warning as one line on standard error within a block."""
    with warnings.catch_warnings():
        warnings.showwarning = _show
        yield


def _show(message: Warning | str, *origin: Any, **further: Any) -> None:
    import click

    click.echo(f"Warning: {message}", err=True)
