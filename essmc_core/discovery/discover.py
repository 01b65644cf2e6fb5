"""Discovery: every installed pack is imported under guard and asked what it brings."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import pluggy

from essmc_core._version import __version__
from essmc_core.component import LOCAL
from essmc_core.discovery.compatibility import require_compatible
from essmc_core.discovery.distributions import Installed, installed_packs
from essmc_core.discovery.guard import time_limit
from essmc_core.discovery.missing import explain_missing, explain_other_kind
from essmc_core.discovery.pack import Pack, broken_pack
from essmc_core.errors import DuplicateComponent
from essmc_core.hooks import GROUP, CommandGroup, PackHooks
from essmc_core.kinds import Registries
from essmc_core.names import normalise_distribution, pack_name
from essmc_core.staging import StagedRegistries, StagedZoo
from essmc_core.zoo import Zoo, core_zoo_directory

CORE = "core"
HEAVY = ("torch", "timm", "torchvision", "torchmetrics", "tensorflow", "jax")


class Discovery:
    """Fills registries and zoo from what is installed.

    Args:
        registries: receives the components.
        zoo: receives the zoo entries.
    """

    def __init__(self, registries: Registries, zoo: Zoo) -> None:
        self.registries = registries
        self.zoo = zoo
        self.packs: dict[str, Pack] = {}
        self._owners: dict[str, str] = {}
        self.manager = pluggy.PluginManager(GROUP)
        registries.explain = zoo.explain = self._explain

    def run(self) -> list[Pack]:
        """Discovers everything anew; what user code registered itself stays.

        Packs are asked in the order of their names, so the order of installation never matters.

        Raises:
            BrokenPack: a pack had to be quarantined and ``ESSMC_STRICT=1``.
        """
        self._forget()
        self._add_own_zoo()
        only, blocked = _packs_named_in("ESSMC_PACKS"), _packs_named_in("ESSMC_BLOCK") or set()
        for installed in installed_packs():
            pack = Pack(
                name=pack_name(installed.name),
                distribution=installed.name,
                version=installed.version,
                source=installed.source,
                entry_points=tuple(point.value for point in installed.entry_points),
            )
            self.packs[pack.distribution] = pack
            if pack.name in blocked or (only is not None and pack.name not in only):
                pack.status = "blocked"
            else:
                self._admit(pack, installed)
        return list(self.packs.values())

    def _forget(self) -> None:
        self.packs.clear()
        self._owners.clear()
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(PackHooks)
        for registry in self.registries:
            registry.table.remove_where(lambda record: record.pack != LOCAL)
        self.zoo.table.remove_where(lambda record: record.pack != LOCAL)

    def _add_own_zoo(self) -> None:
        own = StagedZoo(self.zoo, CORE)
        own.add_directory(core_zoo_directory())
        own.commit()

    def _admit(self, pack: Pack, installed: Installed) -> None:
        """Imports a pack and takes over all that it registers, or quarantines it."""
        start = time.perf_counter()
        heavy_before = _heavy_modules()
        try:
            require_compatible(installed.name, installed.core_requirement, __version__)
            self._require_own_name(pack)
            with time_limit(pack.distribution):
                self._register(pack, installed)
        except KeyboardInterrupt:
            raise
        # SystemExit and the like from a pack must not end the user's program.
        except BaseException as error:
            self._quarantine(pack, error)
        finally:
            pack.ms = (time.perf_counter() - start) * 1e3
            pack.heavy = tuple(name for name in _heavy_modules() if name not in heavy_before)

    def _require_own_name(self, pack: Pack) -> None:
        owner = self._owners.setdefault(pack.name, pack.distribution)
        if owner != pack.distribution:
            raise DuplicateComponent(
                f"{pack.distribution} would be called {pack.name!r} in qualified names, as {owner} is"
            )

    def _register(self, pack: Pack, installed: Installed) -> None:
        components, zoo = StagedRegistries(self.registries, pack.name), StagedZoo(self.zoo, pack.name)
        for number, point in enumerate(installed.entry_points):
            plugin = point.load()
            self.manager.register(plugin, name=_plugin_name(pack, number))
            self.manager.check_pending()
            self._call("register_components", plugin, components)
            self._call("register_zoo", plugin, zoo)
        pack.components = components.commit()
        pack.zoo = zoo.commit()

    def _call(self, hook: str, plugin: Any, argument: object) -> None:
        """Calls one pack's own implementation, so that each is guarded apart."""
        # The newest registration stands last, so looking from the end keeps discovery linear in the packs.
        for implementation in reversed(getattr(self.manager.hook, hook).get_hookimpls()):
            if implementation.plugin is plugin:
                function: Callable[..., object] = implementation.function
                function(*[argument][: len(implementation.argnames)])
                return

    def _quarantine(self, pack: Pack, error: BaseException) -> None:
        pack.status, pack.error = "quarantined", error
        for number in range(len(pack.entry_points)):
            if self.manager.has_plugin(_plugin_name(pack, number)):
                self.manager.unregister(name=_plugin_name(pack, number))
        if pack.components or pack.zoo:
            for registry in self.registries:
                registry.table.remove_where(lambda record: record.pack == pack.name)
            self.zoo.table.remove_where(lambda record: record.pack == pack.name)
            pack.components, pack.zoo = {}, 0
        if os.environ.get("ESSMC_STRICT") == "1":
            raise broken_pack(pack)

    def register_commands(self, cli: CommandGroup) -> None:
        """Lets every pack add its commands; a pack that fails at it is quarantined."""
        for pack in self.packs.values():
            if pack.status != "ok":
                continue
            try:
                for number in range(len(pack.entry_points)):
                    self._call("register_commands", self.manager.get_plugin(_plugin_name(pack, number)), cli)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self._quarantine(pack, error)

    def _explain(self, kind: str, name: str) -> str:
        other = explain_other_kind(kind, name, self.registries, self.zoo)
        return other or explain_missing(kind, name, self.packs.values())


def _plugin_name(pack: Pack, number: int) -> str:
    return f"{pack.distribution}:{number}"


def _packs_named_in(variable: str) -> set[str] | None:
    """Returns the packs a comma-separated variable names, None when it is not set; ``""`` names none."""
    value = os.environ.get(variable)
    if value is None:
        return None
    return {pack_name(normalise_distribution(part.strip())) for part in value.split(",") if part.strip()}


def _heavy_modules() -> list[str]:
    return [name for name in HEAVY if name in sys.modules]
