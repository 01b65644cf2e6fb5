"""``essmc sound``: says that the pack is there."""

from __future__ import annotations

import click


@click.command("sound")
def main() -> None:
    """Say that this pack is there."""
    click.echo("sound")
