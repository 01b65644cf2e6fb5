"""The checks that a child process makes of one component, zoo entry or command."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from typing import Any

import click

from essmc_core.foundation.names import matches
from essmc_core.models.defaults import DISCOVERY, REGISTRIES
from essmc_devkit.components import check_component, check_entry
from essmc_devkit.components.declared import is_of_another
from essmc_devkit.components.process_changes import ProcessChanges
from essmc_devkit.finding import Finding


def answer(request: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields the findings that a request asks for.

    Args:
        request: ``kind`` and qualified ``name`` of a component, an entry (kind ``zoo``) or a command; patterns of
            checks to make (``only``; empty for all) and to leave out (``leave_out``).
    """
    only, leave_out = request["only"] or "*", request["leave_out"]

    def wanted(check: str) -> bool:
        return matches(check, only) and not matches(check, leave_out)

    kind, name = request["kind"], request["name"]
    subject = f"{kind}/{name.partition('/')[2]}"
    try:
        if kind == "commands":
            yield from check_command(name)
        elif kind == "zoo":
            yield from check_entry(name, wanted)
        else:
            if wanted("component.side-effects"):
                yield from _loading(kind, name, subject)
            yield from check_component(kind, name, wanted)
    except (Exception, SystemExit) as error:
        yield Finding("component.check", subject, "failed", f"the checks end in {type(error).__name__}: {error}")


def _loading(kind: str, name: str, subject: str) -> Iterator[Finding]:
    """Yields what the import of a component changes in the process."""
    component = REGISTRIES[kind].component(name)
    package, printed = str(component.target).partition(":")[0].partition(".")[0], io.StringIO()
    # What fails here is found by the checks of the component.
    with (
        ProcessChanges({package}) as changes,
        contextlib.redirect_stdout(printed),
        contextlib.suppress(Exception, SystemExit),
    ):
        component.load()
    if text := printed.getvalue().strip():
        message = f"importing it prints {text.splitlines()[0][:120]!r}"
        yield Finding("component.output", subject, "failed", message, "log it at the level DEBUG")
    if changes.names and not is_of_another(component):
        message = f"importing it changes {', '.join(changes.names)}"
        fix = "leave what belongs to the whole process to its user"
        yield Finding("component.side-effects", subject, "failed", message, fix)


def check_command(name: str) -> Iterator[Finding]:
    """Yields whether a command can be imported, and says what it does."""
    subject = f"commands/{name.partition('/')[2]}"
    command = DISCOVERY.commands.find(name)
    assert command is not None
    try:
        found = command.load()
    except Exception as error:
        yield Finding(
            "command.target", subject, "failed", str(error), "name `package.module:function` of a click command"
        )
        return
    if not isinstance(found, click.Command):
        message = f"{command.target} is a {type(found).__name__}, no click command"
        yield Finding("command.target", subject, "failed", message, "decorate it with `@click.command()`")
        return
    yield Finding("command.target", subject, "ok")
    if found.help or found.short_help:
        yield Finding("command.help", subject, "ok")
    else:
        fix = "write a docstring: it is what `--help` shows"
        yield Finding("command.help", subject, "failed", "it has no help", fix)
