"""The command group: commands are imported when they run, errors become one message and exit status 2."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.own_code import TELLING, accept_own_code, agreed
from essmc_core.discovery.commands import OWN_COMMANDS, Command
from essmc_core.discovery.missing import explain_missing
from essmc_core.errors import EssmcError
from essmc_core.foundation.error_text import text_of
from essmc_core.foundation.names import did_you_mean
from essmc_core.foundation.settings import SettingError, lenient_flag, misspelled
from essmc_core.foundation.version import __version__
from essmc_core.models.defaults import DISCOVERY
from essmc_core.registry.component import CORE
from essmc_core.registry.trusted_code import UntrustedCode


class EssmcGroup(click.Group):
    """Commands by name, each imported only when it is used; packs add theirs through their hook."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names, the core's first; qualified by the pack if two packs or the core have the same name."""
        return [*OWN_COMMANDS, *DISCOVERY.commands.names(), *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports and returns a command.

        Raises:
            AmbiguousComponent: several packs offer the name.
            TargetImportError: the command cannot be imported.
        """
        command = self._find(cmd_name)
        found: click.Command | None = super().get_command(ctx, cmd_name) if command is None else command.load()
        return None if found is None else accept_own_code(found)

    @staticmethod
    def _find(name: str) -> Command | None:
        if name in OWN_COMMANDS:
            return Command(name, CORE, *OWN_COMMANDS[name])
        return DISCOVERY.commands.find(name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command; the error for an unknown one suggests the nearest name or the pack that provides it."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            known = self.list_commands(ctx)
            hint = did_you_mean(name, known) or explain_missing("commands", name, DISCOVERY.packs.values())
            raise click.UsageError(f"no command is called {name!r}" + (f"; {hint}" if hint else ""), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands from their one-line helps, importing none of them."""
        commands = {name: self._find(name) for name in self.list_commands(ctx)}
        rows = [(name, command.help) for name, command in commands.items() if command is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(
    cls=EssmcGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("essmc demo", "essmc models 'tada*'", "essmc predict --help"),
)
@click.version_option(__version__, prog_name="essmc")
def cli() -> None:
    """Models for images and video from pip-installed packs: list them, build them by name, use them."""


def main() -> NoReturn:
    """Runs the command line; exits with 0, 2 for a mistake that was explained, 130 after Ctrl-C."""
    try:
        _refuse_odd_settings(sys.argv[1:])
        result = _run()
        _flush()
        sys.exit(result if isinstance(result, int) else 0)
    except click.exceptions.Abort:
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        _silence_stdout()
        sys.exit(0)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except Exception as error:
        _report(error)


def _run() -> object:
    try:
        return cli.main(standalone_mode=False, prog_name="essmc")
    except UntrustedCode as error:
        if not agreed(error):
            raise
        return _run()


def _refuse_odd_settings(arguments: list[str]) -> None:
    """Raises if an ``ESSMC_`` variable has an invalid value; `packs`, `doctor` and `--help` only warn.

    Raises:
        SettingError: lists every invalid value.
    """
    for text in misspelled():
        click.echo(f"Warning: {text}", err=True)
    if not DISCOVERY.complaints:
        return
    if not arguments or arguments[0] in TELLING or {"-h", "--help", "--version"} & set(arguments):
        for complaint in DISCOVERY.complaints:
            click.echo(f"Warning: {complaint}", err=True)
    elif len(DISCOVERY.complaints) == 1:
        raise DISCOVERY.complaints[0]
    else:
        raise SettingError("\n  ".join(["variables that cannot be followed:", *map(str, DISCOVERY.complaints)]))


def _report(error: Exception) -> NoReturn:
    """Prints errors that the user can act on; any other exception is a defect and keeps its traceback."""
    notes: list[str] = getattr(error, "__notes__", [])
    if lenient_flag("ESSMC_DEBUG") or not (isinstance(error, EssmcError) or notes):
        raise error
    ours = isinstance(error, EssmcError)
    kind, text = type(error).__name__, text_of(error)
    lines = [f"Error: {text if ours else f'{kind}: {text}'}", *(f"  {note}" for note in notes)]
    click.echo("\n".join(lines if ours else [*lines, "  ESSMC_DEBUG=1 shows the traceback"]), err=True)
    sys.exit(2)


def _flush() -> None:
    sys.stdout.flush()


def _silence_stdout() -> None:
    # Python flushes stdout again at exit and would print a second error.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
