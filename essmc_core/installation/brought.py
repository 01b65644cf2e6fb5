"""What each pack of a process registered, sorted by pack once for all of them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from essmc_core.discovery import Discovery
from essmc_core.discovery.commands import Command
from essmc_core.registry.component import Component
from essmc_core.zoo.zoo import ZooEntry


@dataclass(slots=True)
class Brought:
    """What one pack registered.

    Attributes:
        components: by kind.
        entries: of the zoo.
        commands: its commands.
    """

    components: dict[str, list[Component]] = field(default_factory=dict)
    entries: list[ZooEntry] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)


def brought_by_pack(discovery: Discovery) -> defaultdict[str, Brought]:
    """Returns what was registered, by short name of the pack."""
    found: defaultdict[str, Brought] = defaultdict(Brought)
    for registry in discovery.registries:
        for component in registry.table:
            found[component.pack].components.setdefault(registry.kind, []).append(component)
    for entry in discovery.zoo.table:
        found[entry.pack].entries.append(entry)
    for command in discovery.commands:
        found[command.pack].commands.append(command)
    return found
