"""Commands by name: the core's own, and those of packs, staged like components until their pack is registered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from essmc_core.errors import DuplicateComponent
from essmc_core.registry.declared import check_line, check_name, check_target

OWN_COMMANDS = {
    "packs": ("essmc_core.cli.packs:packs", "List installed packs, broken ones included."),
    "list": ("essmc_core.cli.listing:list_components", "List components by kind and pattern."),
    "models": ("essmc_core.cli.models:models", "List zoo models."),
    "show": ("essmc_core.cli.show:show", "Show a component or a zoo model."),
    "build": ("essmc_core.cli.build:build", "Build a model; show its parts, shapes, parameters and MACs."),
    "bench": (
        "essmc_core.cli.bench:bench",
        "How fast each engine runs a model here, and how exactly.",
    ),
    "export": ("essmc_core.cli.export:export", "Write a model as TorchScript, .pt2 or ONNX, and check the file."),
    "predict": ("essmc_core.cli.predict:predict", "Classify an image or a clip."),
    "validate": ("essmc_core.cli.validate:validate", "Check a model's configuration without building it."),
    "search": ("essmc_core.cli.search:search_packs", "Find packs, components and models, installed or not."),
    "install": ("essmc_core.cli.install:install", "Install packs with pip; say what arrived."),
    "uninstall": ("essmc_core.cli.uninstall:uninstall", "Uninstall packs with pip; say what goes away."),
    "index": ("essmc_core.cli.index:index", "Describe packs in a file, by which they are found."),
    "inspect": ("essmc_core.cli.inspect:inspect", "Say what a file of weights holds."),
    "convert": ("essmc_core.cli.convert:convert", "Write weights by the names of another project."),
    "cache": ("essmc_core.cli.cache:cache", "List, verify and prune the cache folder."),
    "push": ("essmc_core.cli.push:push", "Upload a model to the Hugging Face Hub."),
    "lock": ("essmc_core.cli.lock:lock", "Write what pip needs to restore a model's packs; compare it."),
    "doctor": ("essmc_core.cli.doctor:doctor", "Look for what is wrong with this installation."),
    "verify": ("essmc_core.cli.verify:verify", "Recompute parameters and MACs of zoo entries."),
}
"""The core's commands, each with its target and one line of help; packs cannot replace them."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that is not imported yet.

    Attributes:
        name: what the user types after ``essmc``.
        pack: short name of the pack.
        target: ``"package.module:attribute"`` of a click command.
        help: one line.
        bare: whether the name works without the pack's prefix; false if the core has a command of that name.
        distribution: distribution of the pack, for messages.
    """

    name: str
    pack: str
    target: str
    help: str
    bare: bool = True
    aliases: tuple[str, ...] = ()
    deprecated: tuple[str, ...] = ()
    distribution: str = ""

    @property
    def qualified(self) -> str:
        """``pack/name``, which always works."""
        return f"{self.pack}/{self.name}"

    def instead_of(self, old_name: str) -> str:
        """Returns what to use instead of a deprecated name."""
        return repr(self.qualified)

    def load(self) -> Any:
        """Imports the command.

        Raises:
            TargetImportError: it cannot be imported.
        """
        from essmc_core.registry.targets import import_target

        return import_target(self.target, f"the command {self.qualified}", self.distribution or self.pack)


class StagedCommands:
    """The command line, as a pack sees it while registering.

    Args:
        pack: short name of the pack.
        distribution: its distribution.
    """

    def __init__(self, pack: str, distribution: str = "") -> None:
        self._pack = pack
        self._distribution = distribution
        self._staged: dict[str, Command] = {}

    def add_lazy(self, name: str, target: str, *, help: str) -> None:
        """Adds a command without importing it.

        Args:
            name: what the user types after ``essmc``.
            target: ``"package.module:attribute"`` of a click command.
            help: one line for ``essmc --help``.

        Raises:
            DeclarationError: a value is invalid.
            DuplicateComponent: the pack registered the name already.
        """
        check_name(name, "the name of a command")
        check_target(target, f"the command {name!r}")
        check_line(help, f"help of the command {name!r}")
        if name in self._staged:
            raise DuplicateComponent(f"{self._pack}/{name} is registered twice under commands")
        self._staged[name] = Command(
            name, self._pack, target, help, bare=name not in OWN_COMMANDS, distribution=self._distribution
        )

    def commands(self) -> list[Command]:
        """Returns what was registered."""
        return list(self._staged.values())


def conflicts(commands: Iterable[Command]) -> dict[str, list[str]]:
    """Returns, per pack, remarks about commands whose name the core or another pack has too."""
    by_name: dict[str, list[Command]] = {}
    for command in commands:
        by_name.setdefault(command.name, []).append(command)
    remarks: dict[str, list[str]] = {}
    for name, offered in by_name.items():
        offers = sorted(command.qualified for command in offered)
        for command in offered:
            if name in OWN_COMMANDS:
                remark = f"the command {name!r} is the core's own; this pack's is `essmc {command.qualified}`"
            elif len(offered) > 1:
                written = " or ".join(f"`essmc {offer}`" for offer in offers)
                remark = f"{len(offered)} packs offer the command {name!r}: write {written}"
            else:
                continue
            remarks.setdefault(command.pack, []).append(remark)
    return remarks
