"""The hooks a pack may implement: each receives the thing it adds to."""

from __future__ import annotations

from typing import Protocol

import pluggy

from essmc_core.discovery.staging import StagedRegistries as Registries
from essmc_core.discovery.staging import StagedZoo as Zoo

__all__ = ["CommandGroup", "PackHooks", "Registries", "Zoo", "hookimpl"]

GROUP = "essmc"
"""Both the pluggy project and the entry-point group."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class CommandGroup(Protocol):
    """The command line, as packs see it."""

    def add_lazy(self, name: str, target: str, *, help: str) -> None:
        """Adds a command without importing it.

        Args:
            name: what the user types after ``essmc``.
            target: ``"package.module:attribute"`` of a click command.
            help: one line for ``essmc --help``.
        """


class PackHooks:
    """Hook specifications. Nothing heavy may be imported by the module that implements them."""

    @hookspec
    def register_components(self, registries: Registries) -> None:
        """Registers components by import string: ``registries.backbones.register("Name", "package.module:Class")``."""

    @hookspec
    def register_zoo(self, zoo: Zoo) -> None:
        """Adds folders of zoo entries: ``zoo.add_directory(Path(__file__).parent / "zoo")``."""

    @hookspec
    def register_commands(self, cli: CommandGroup) -> None:
        """Adds commands: ``cli.add_lazy("train", "package.module:command", help="…")``."""
