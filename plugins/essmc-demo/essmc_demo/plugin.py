"""What this pack registers: one command."""

from __future__ import annotations

from essmc_core import hookimpl
from essmc_core.discovery.hooks import StagedCommands


@hookimpl
def register_commands(cli: StagedCommands) -> None:
    """Adds ``essmc demo``."""
    cli.add_lazy("demo", "essmc_demo.command:demo", help="Show what is installed, on real photos and real clips.")
