"""Arguments that several commands share: the model, its overrides, its weights."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def model_argument(command: Command) -> Command:
    """Adds MODEL: a zoo name, a YAML file, or a work dir or checkpoint of training."""
    return click.argument("model")(command)


def overrides_argument(command: Command) -> Command:
    """Adds ``[path=value …]``."""
    return click.argument("overrides", nargs=-1, callback=_check_overrides, metavar="[PATH=VALUE]...")(command)


def weights_options(command: Command) -> Command:
    """Adds ``--checkpoint`` with its companion options, and ``--random``."""
    command = click.option("--random", "use_random", is_flag=True, help="Use random weights.")(command)
    return checkpoint_option(command)


def checkpoint_option(command: Command) -> Command:
    """Adds ``--checkpoint``, and ``--key-map``, ``--allow-missing`` and ``--allow-unused``, which are merged into it.

    The command's ``checkpoint`` is a path or URI, or a weights mapping if other options were given.
    """

    @functools.wraps(command)
    def merged(
        *args: Any,
        checkpoint: str | None,
        key_map: str | None,
        allow_missing: tuple[str, ...],
        allow_unused: tuple[str, ...],
        **options: Any,
    ) -> Any:
        given = {"key_map": key_map, "allow_missing": list(allow_missing), "allow_unused": list(allow_unused)}
        said = {name: value for name, value in given.items() if value}
        if said and checkpoint is None:
            option = "--" + next(iter(said)).replace("_", "-")
            raise click.UsageError(f"{option} says how the file of --checkpoint is read, and there is none")
        return command(*args, checkpoint={"uri": checkpoint, **said} if said else checkpoint, **options)

    decorated: Any = merged
    several = {"multiple": True, "metavar": "PATTERN"}
    for option in (
        click.option("--allow-unused", **several, help="Keys of the file that may stay without a place."),  # type: ignore[arg-type]
        click.option("--allow-missing", **several, help="Keys of the model that the file may lack."),  # type: ignore[arg-type]
        click.option(
            "--key-map",
            metavar="NAME",
            help="How the file's keys are named: a registered key map, or a zoo model  [default: as the model's, or as "
            "in the file that its entry names]",
        ),
        click.option("--checkpoint", help="Load these weights: a path or URI, or a work dir of training."),
    ):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def is_override(word: str) -> bool:
    """Returns whether a word is ``path=value`` rather than a file name, which may contain an equals sign too."""
    path, equals, _ = word.partition("=")
    if not equals or os.path.lexists(word):
        return False
    return all(part.replace("-", "_").isidentifier() or part.isdecimal() for part in path.split("."))


def _check_overrides(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        if "=" not in text:
            raise click.BadParameter(f"{text!r} is not PATH=VALUE, e.g. num_classes=51", ctx, param)
    return value
