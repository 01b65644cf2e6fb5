"""Key maps by name: those that packs register, and those that zoo entries state for their weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from essmc_core.errors import ConfigError, LookupFailure
from essmc_core.foundation.names import did_you_mean
from essmc_core.registry.component import Component
from essmc_core.weights.layouts.layout import AnyLayout

if TYPE_CHECKING:
    from essmc_core.registry.registry import Registry
    from essmc_core.zoo.zoo import Zoo, ZooEntry


class RegisteredKeyMaps:
    """The key maps of a registry and of a zoo.

    Args:
        registry: of the kind ``key_maps``.
        zoo: whose entries' names stand for the key maps of their weights.
        layouts: the registry of the kind ``layouts``.
    """

    def __init__(self, registry: Registry, zoo: Zoo, layouts: Registry) -> None:
        self._registry = registry
        self._layouts = layouts
        self._zoo = zoo

    def find(self, name: str) -> Component | ZooEntry:
        """Returns the record of a name, without importing anything.

        Raises:
            ConfigError: no pack registers such a key map and no zoo entry of that name states one.
        """
        found = self._registry.find(name)
        if found is not None:
            return found
        try:
            entry = self._zoo.entry(name)
        except LookupFailure:
            entry = None
        if entry is not None and entry.section("weights").get("key_map"):
            return entry
        what = f"{name} states no key map for its weights" if entry else f"no key map is called {name!r}"
        hint = did_you_mean(name, self._registry.table.all_names()) or "`essmc list key_maps` shows the names."
        raise ConfigError(what, hint=f"{hint} A zoo model's name stands for the key map of its weights.")

    def pairs(self, name: str) -> object:
        """Returns the pairs of a key map by name.

        Raises:
            ConfigError: there is none of that name.
        """
        found = self.find(name)
        return self._registry.build(name) if isinstance(found, Component) else found.section("weights")["key_map"]

    def layouts(self) -> Sequence[AnyLayout]:
        """Returns the layouts that packs register."""
        return [record.load()() for record in self._layouts.table]
