"""What this pack registers: the commands for authors of packs."""

from __future__ import annotations

from essmc_core import hookimpl
from essmc_core.discovery.hooks import StagedCommands


@hookimpl
def register_commands(cli: StagedCommands) -> None:
    """Adds ``essmc check`` and ``essmc new-pack``."""
    cli.add_lazy("check", "essmc_devkit.command:check", help="Check a pack: its installation and all that it brings.")
    cli.add_lazy("new-pack", "essmc_devkit.new_pack.command:new_pack", help="Make a pack that passes its own tests.")
