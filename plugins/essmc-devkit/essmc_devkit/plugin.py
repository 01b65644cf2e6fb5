"""What this pack registers: the commands for authors of packs."""

from __future__ import annotations

from essmc_core import hookimpl
from essmc_core.discovery.hooks import StagedCommands


@hookimpl
def register_commands(cli: StagedCommands) -> None:
    """Adds ``essmc check``."""
    cli.add_lazy("check", "essmc_devkit.command:check", help="Check a pack: its installation and all that it brings.")
