"""Key maps by name: those that packs register, and those that zoo entries state for their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from essmc_core.errors import ConfigError, LookupFailure
from essmc_core.foundation.names import did_you_mean
from essmc_core.weights.options import check_key_map

if TYPE_CHECKING:
    from essmc_core.registry.component import Component
    from essmc_core.zoo.zoo import ZooEntry

KIND = "key_maps"


def find_key_map(name: str) -> Component | ZooEntry:
    """Returns what a name stands for, importing nothing.

    Raises:
        ConfigError: no pack registers such a key map and no zoo entry of that name states one.
    """
    from essmc_core.models.defaults import ZOO
    from essmc_core.registry.kinds import DEFAULT

    registry = DEFAULT[KIND]
    found = registry.find(name)
    if found is not None:
        return found
    try:
        entry = ZOO.entry(name)
    except LookupFailure:
        entry = None
    if entry is not None and entry.section("weights").get("key_map"):
        return entry
    what = f"{name} states no key map for its weights" if entry else f"no key map is called {name!r}"
    hint = did_you_mean(name, registry.table.all_names()) or "`essmc list key_maps` shows the names."
    raise ConfigError(what, hint=f"{hint} A zoo model's name stands for the key map of its weights.")


def named_key_map(name: str) -> tuple[tuple[str, str], ...]:
    """Returns a key map by name.

    Raises:
        ConfigError: there is none of that name, or it is no key map.
    """
    from essmc_core.registry.component import Component
    from essmc_core.registry.kinds import DEFAULT

    found = find_key_map(name)
    if isinstance(found, Component):
        return check_key_map(DEFAULT[KIND].build(name))
    return check_key_map(found.section("weights")["key_map"])
