"""Names that several packs offer, and the pins that settle them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from essmc_core.discovery.commands import Command
from essmc_core.errors import AmbiguousComponent, ConfigError
from essmc_core.installation.doctor.section import Section
from essmc_core.registry.kinds import Registries
from essmc_core.registry.nametable import NameTable
from essmc_core.registry.pins import read_pins
from essmc_core.zoo.zoo import Zoo


def names_section(registries: Registries, zoo: Zoo, commands: NameTable[Command]) -> Section:
    """Returns the names that need a pin, those that have one, and pins that choose nothing."""
    section = Section("Names")
    try:
        pins = read_pins()
    except ConfigError as error:
        section.problem(str(error), 'mend it; `[tool.essmc.pins]` holds lines such as ResNet3D = "video"')
        pins = {}
    tables: list[NameTable[Any]] = [*(registry.table for registry in registries), zoo.table, commands]
    used: set[str] = set()
    conflicts = 0
    for table in tables:
        for name, offered in sorted(table.offered_by_several().items()):
            conflicts += 1
            used |= {key for key in (name, f"{table.kind}/{name}") if key in pins}
            try:
                chosen = table.choose(name, offered)
            except AmbiguousComponent as error:
                section.problem(error.message, error.hint)
            else:
                section.facts[f"{table.kind} {name}"] = f"{chosen.qualified}, by a pin"
    section.facts["offered by several packs"] = str(conflicts)
    for key in sorted(set(pins) - used):
        if not _is_offered(key, pins[key], tables):
            section.problem(f"the pin {key} = {pins[key]!r} chooses nothing: no such pack offers it", _where(key))
    return section


def _is_offered(key: str, pack: str, tables: Iterable[NameTable[Any]]) -> bool:
    """Returns whether a pin that settles nothing at present names what is there."""
    kind, _, name = key.rpartition("/")
    wanted = pack if "/" in pack else f"{pack}/{name}"
    return any(table.kind == kind or not kind for table in tables if wanted in table.all_names())


def _where(key: str) -> str:
    return f"remove {key} from ESSMC_PINS or [tool.essmc.pins] in pyproject.toml, or install the pack"
