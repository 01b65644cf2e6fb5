"""Arguments that several commands share: the model, its overrides, its weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def model_argument(command: Command) -> Command:
    """Adds MODEL: a zoo name or a YAML file."""
    return click.argument("model")(command)


def overrides_argument(command: Command) -> Command:
    """Adds ``[path=value …]``."""
    return click.argument("overrides", nargs=-1, callback=_check_overrides, metavar="[PATH=VALUE]...")(command)


def weights_options(command: Command) -> Command:
    """Adds ``--checkpoint`` and ``--random``."""
    command = click.option("--random", "use_random", is_flag=True, help="Use random weights.")(command)
    return click.option("--checkpoint", help="Load these weights: a path or URI, or a work dir of training.")(command)


def _check_overrides(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        if "=" not in text:
            raise click.BadParameter(f"{text!r} is not PATH=VALUE, e.g. num_classes=51", ctx, param)
    return value
