"""What `essmc new-pack --update` says."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from essmc_core.cli.output import write_json
from essmc_devkit.new_pack.updating import Update, update


def update_pack(folder: Path, *, as_json: bool) -> None:
    """Brings the newest template to a pack and says what came of it.

    Raises:
        NotUpdatable: the folder was not made by `essmc new-pack`, or by a later devkit; or there is no git.
    """
    outcome = update(folder)
    if as_json:
        write_json(asdict(outcome))
    else:
        _show(folder, outcome)


def _show(folder: Path, outcome: Update) -> None:
    if outcome.before == outcome.after:
        click.echo(f"{folder} has the newest template, version {outcome.after}.")
        return
    click.echo(f"Brought {folder} from version {outcome.before} of the template to {outcome.after}.")
    for name in outcome.changed:
        note = "  both sides changed the same lines: look for <<<<<<<" if name in outcome.conflicts else ""
        click.echo(f"  changed  {name}{note}")
    for name in outcome.removed:
        click.echo(f"  removed  {name}")
    click.echo("Next:\n  git diff\n  pytest && essmc check .")
