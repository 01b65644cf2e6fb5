"""The help of each command ends with examples, and each example is a command that the command line takes."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from essmc_core.cli.app import cli

COMMANDS = (
    "packs",
    "list",
    "models",
    "show",
    "build",
    "bench",
    "export",
    "predict",
    "validate",
    "verify",
    "doctor",
    "cache",
    "index",
    "install",
    "uninstall",
    "search",
    "inspect",
    "push",
    "lock",
    "convert",
    "train",
    "eval",
    "demo",
    "shots",
    "check",
    "new-pack",
)


def context() -> click.Context:
    return click.Context(cli, info_name="essmc")


def help_of(name: str, width: int) -> list[str]:
    command = cli.get_command(context(), name)
    assert command is not None
    with click.Context(command, info_name=name, parent=context(), max_content_width=width, terminal_width=width) as ctx:
        return command.get_help(ctx).splitlines()


def examples_of(name: str, width: int = 80) -> list[str]:
    lines = [line.strip() for line in help_of(name, width)]
    return lines[lines.index("Examples:") + 1 :]


def test_every_installed_command_is_among_those_that_are_tested():
    assert set(cli.list_commands(context())) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("width", [60, 80, 200])
def test_help_ends_with_examples_that_no_terminal_wraps(name, width):
    shown = examples_of(name, width)
    assert shown
    assert all(re.match(rf"essmc {name}( |$)", line) for line in shown)
    assert max(map(len, help_of(name, width))) <= width


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_what_the_command_takes(name):
    for example in examples_of(name):
        words = shlex.split(example.partition(" > ")[0])[1:]
        found, command, arguments = cli.resolve_command(context(), words)
        assert found == name and command is not None
        # Parsing alone: it raises for an option, a choice or a number of arguments that the command does not have.
        command.make_context(name, arguments, parent=context())


def test_the_help_of_all_ends_with_examples_too():
    with context() as ctx:
        lines = cli.get_help(ctx).splitlines()
    assert lines[-4].strip() == "Examples:"
    assert all(line.strip().startswith("essmc ") for line in lines[-3:])
