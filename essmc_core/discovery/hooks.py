"""The hooks that a pack may implement: each receives the object that it adds to."""

from __future__ import annotations

import pluggy

from essmc_core.discovery.commands import StagedCommands
from essmc_core.discovery.staging import StagedRegistries, StagedRegistry, StagedZoo

__all__ = ["GROUP", "PackHooks", "StagedCommands", "StagedRegistries", "StagedRegistry", "StagedZoo", "hookimpl"]

GROUP = "essmc"
"""Both the pluggy project and the entry-point group."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class PackHooks:
    """Hook specifications. Nothing heavy may be imported by the module that implements them."""

    @hookspec
    def register_components(self, registries: StagedRegistries) -> None:
        """Registers components by import string: ``registries.backbones.register("Name", "package.module:Class")``."""

    @hookspec
    def register_zoo(self, zoo: StagedZoo) -> None:
        """Adds zoo entries: folders of files, or tables with a template.

        ``zoo.add_directory(Path(__file__).parent / "zoo")``;
        ``zoo.add_template("package.module:make_entry", table="package.module:read_rows")``.
        """

    @hookspec
    def register_commands(self, cli: StagedCommands) -> None:
        """Adds commands: ``cli.add_lazy("train", "package.module:command", help="…")``."""

    @hookspec
    def register_layouts(self, layouts: StagedRegistry) -> None:
        """Registers layouts of files: ``layouts.register("name", "package.module:function")`` returns a `Layout`."""
