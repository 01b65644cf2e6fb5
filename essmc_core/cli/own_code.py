"""``--code`` and ``--trust``, which every command has: own code is imported before the command looks anything up."""

from __future__ import annotations

import os
import sys

import click

from essmc_core.errors import EssmcError
from essmc_core.registry.own_code import import_own_code, named_in_project, share_with_processes
from essmc_core.registry.trusted_code import VARIABLE, UntrustedCode, trust

TELLING = ("packs", "doctor")
"""Commands that are run to find out what is wrong, and go on with a warning."""


def accept_own_code(command: click.Command) -> click.Command:
    """Adds the options to a command, and to the commands of a group, unless they have options of that name."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            accept_own_code(inner)
        return command
    taken = {name for parameter in command.params for name in parameter.opts}
    for option in (_code(), _trust()):
        if not taken & set(option.opts):
            command.params.append(option)
    return command


def agreed(error: UntrustedCode) -> bool:
    """Asks on a terminal whether to run code from elsewhere, and remembers the answer if it is yes."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    click.echo(f"{error.where}: {error.message}", err=True)
    if not click.confirm("Run it, now and as long as it stays as it is?", err=True):
        return False
    trust(error.path)
    return True


def _code() -> click.Option:
    return click.Option(
        ["--code"],
        multiple=True,
        metavar="FILE|PACKAGE",
        expose_value=False,
        is_eager=True,
        callback=_import,
        help="Own code whose components are registered first.",
    )


def _trust() -> click.Option:
    return click.Option(
        ["--trust"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_agree,
        help="Run code from outside this folder that a configuration names.",
    )


def _agree(context: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        os.environ[VARIABLE] = "1"


def _import(context: click.Context, option: click.Parameter, places: tuple[str, ...]) -> None:
    """Imports the project's code and that of the option, in this process and in those that it starts."""
    if context.resilient_parsing:
        return
    try:
        for place, where in [*named_in_project(), *((place, None) for place in places)]:
            import_own_code(place, where)
            share_with_processes(place)
    except EssmcError as error:
        if context.info_name not in TELLING:
            raise
        click.echo(f"Warning: {error}", err=True)
