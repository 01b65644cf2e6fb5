"""Discovery: imports every installed pack under guard and calls its hooks."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pluggy

from essmc_core.discovery.commands import Command, StagedCommands, conflicts
from essmc_core.discovery.compatibility import require_compatible
from essmc_core.discovery.distributions import Installed, installed_packs
from essmc_core.discovery.guard import Guard
from essmc_core.discovery.missing import explain_missing, explain_other_kind
from essmc_core.discovery.named_packs import complaints, named_packs
from essmc_core.discovery.pack import Pack, broken_pack
from essmc_core.discovery.plugins import Plugins
from essmc_core.discovery.recorded import Recorded
from essmc_core.discovery.remarks import brings_nothing, empty_folder, unmarked_hooks
from essmc_core.discovery.snapshot import Registered, Snapshot
from essmc_core.discovery.staging import StagedRegistries, StagedZoo
from essmc_core.errors import DuplicateComponent, EssmcError
from essmc_core.foundation.names import pack_name
from essmc_core.foundation.settings import lenient_flag
from essmc_core.foundation.version import __version__
from essmc_core.registry.component import CORE, LOCAL, RESERVED, Component
from essmc_core.registry.kinds import Registries
from essmc_core.registry.nametable import NameTable, Pins, no_pins
from essmc_core.registry.own_code import import_named_in_environment
from essmc_core.zoo.zoo import Zoo, ZooEntry, core_zoo_directory

if TYPE_CHECKING:
    from essmc_core.zoo.templates import Template

HEAVY = ("torch", "timm", "torchvision", "torchmetrics", "tensorflow", "jax")


_RARELY = 1_000_000
"""Objects that are made between two searches for garbage."""


class ReservedName(EssmcError, ValueError):
    """A distribution would have a short name that is reserved for the core."""


class _Harvest:
    """What the packs register, collected before any of it is used."""

    def __init__(self) -> None:
        self.packs: dict[str, Pack] = {}
        self.owners: dict[str, str] = {}
        self.components: dict[str, list[Component]] = {}
        self.entries: list[ZooEntry] = []
        self.templates: list[Template] = []
        self.commands: list[Command] = []
        self.plugins = Plugins()
        self.snapshot = Snapshot()


class Discovery:
    """Fills registries, zoo and command line from the installed packs.

    Args:
        registries: receives the components.
        zoo: receives the zoo entries.
        pins: returns the user's choice among packs that offer the same command.

    Attributes:
        packs: every pack by the name of its distribution.
        commands: the commands of packs; the core's own are not among them.
        complaints: errors of ``ESSMC_`` variables; the command line exits with them.
    """

    def __init__(self, registries: Registries, zoo: Zoo, pins: Pins = no_pins) -> None:
        self.registries = registries
        self.zoo = zoo
        self.packs: dict[str, Pack] = {}
        self.commands: NameTable[Command] = NameTable("commands", pins)
        self.complaints: list[EssmcError] = []
        self._plugins = Plugins()
        self._running = threading.RLock()

    @property
    def manager(self) -> pluggy.PluginManager:
        """A pluggy manager in which the packs' plugins are registered."""
        return self._plugins.manager()

    def run(self) -> list[Pack]:
        """Discovers everything again; components of user code stay registered, and ``ESSMC_CODE`` is imported.

        Packs are imported in the order of their names, so the order of installation does not matter. Everything is
        collected first and then replaced atomically, so that a concurrent look-up sees the old or the new state.

        Raises:
            BrokenPack: a pack had to be quarantined and ``ESSMC_STRICT=1``; nothing has changed.
        """
        with self._running, _rare_collection():
            harvest = _Harvest()
            harvest.entries.extend(self._own_entries())
            only, blocked = named_packs("ESSMC_PACKS"), named_packs("ESSMC_BLOCK") or set()
            with Guard().running() as guard:
                for installed in installed_packs(harvest.snapshot.installed):
                    pack = _as_pack(installed, harvest)
                    if pack.name in blocked or (only is not None and pack.name not in only):
                        pack.status = "blocked"
                    else:
                        self._admit(pack, installed, harvest, guard)
            harvest.snapshot.save()
            self._put_in_place(harvest)
            self.complaints = complaints(pack.name for pack in self.packs.values())
        # It may look up what the packs brought, and it is no pack, whose output and changes of state are watched.
        self.complaints += import_named_in_environment()
        return list(self.packs.values())

    def _own_entries(self) -> list[ZooEntry]:
        own = StagedZoo(self.zoo, CORE)
        own.add_directory(core_zoo_directory())
        return own.entries()

    def _put_in_place(self, harvest: _Harvest) -> None:
        for pack in harvest.packs.values():
            if pack.status == "quarantined" and lenient_flag("ESSMC_STRICT"):
                raise broken_pack(pack)
        remarks = conflicts(harvest.commands)
        for pack in harvest.packs.values():
            pack.remarks.extend(remarks.get(pack.name, ()) if pack.status == "ok" else ())
        for registry in self.registries:
            registry.table.replace_where(_is_of_a_pack, harvest.components.get(registry.kind, ()))
        self.zoo.replace_where(_is_of_a_pack, harvest.entries, harvest.templates)
        self.commands.replace_where(_is_of_a_pack, harvest.commands)
        self.packs, self._plugins = harvest.packs, harvest.plugins

    def _admit(self, pack: Pack, installed: Installed, harvest: _Harvest, guard: Guard) -> None:
        """Imports a pack and collects what it registers, or quarantines it."""
        start = time.perf_counter()
        heavy_before = _heavy_modules()
        try:
            _require_usable(pack, installed, harvest)
            guard.refuse_what_failed_before(installed)
            record = harvest.snapshot.restored(installed)
            if record is not None:
                self._restore(pack, record, harvest)
                return
            modules_before = len(sys.modules)
            with guard.importing(pack, installed):
                registered = self._register(pack, installed, harvest)
            if not pack.remarks:
                ms = (time.perf_counter() - start) * 1e3
                harvest.snapshot.record(registered, installed, modules_before, ms)
        except KeyboardInterrupt:
            raise
        # SystemExit and similar exceptions from a pack must not end the user's program.
        except BaseException as error:
            _quarantine(pack, error, harvest)
        finally:
            pack.ms = pack.ms or (time.perf_counter() - start) * 1e3
            pack.heavy = tuple(name for name in _heavy_modules() if name not in heavy_before)

    def _register(self, pack: Pack, installed: Installed, harvest: _Harvest) -> Registered:
        staged = self._staged(pack)
        receivers = {
            "register_components": staged.components,
            "register_zoo": staged.zoo,
            "register_commands": staged.commands,
            "register_layouts": staged.components.layouts,
        }
        plugin: Any = None
        for number, point in enumerate(installed.entry_points):
            plugin = point.load()
            hooks = harvest.plugins.admit(plugin, f"{pack.distribution}:{number}", point.value)
            for hook, argument in receivers.items():
                if hook in hooks:
                    hooks[hook](argument)
            pack.remarks.extend(unmarked_hooks(plugin))
        _bring(pack, staged, staged.components.components(), harvest)
        if not (pack.components or pack.zoo_files or pack.zoo_tables or pack.commands or pack.remarks):
            pack.remarks.append(brings_nothing(plugin))
        return staged

    def _restore(self, pack: Pack, record: Recorded, harvest: _Harvest) -> None:
        """Collects what a pack registered when it was imported last."""
        staged = self._staged(pack)
        for number, point in enumerate(record.installed.entry_points):
            harvest.plugins.expect(point, f"{pack.distribution}:{number}")
        for kind, singular in record.kinds.items():
            self.registries.add_kind(kind, singular)
        for folder in record.folders:
            staged.zoo.add_directory(folder)
        for template, table, bare in record.templates:
            staged.zoo.add_template(template, table=table, bare=bare)
        for name, target, help_line in record.commands:
            staged.commands.add_lazy(name, target, help=help_line)
        _bring(pack, staged, record.restored_components(pack.name), harvest)
        pack.ms = record.ms

    def _staged(self, pack: Pack) -> Registered:
        return Registered(
            StagedRegistries(self.registries, pack.name, pack.distribution),
            StagedZoo(self.zoo, pack.name),
            StagedCommands(pack.name, pack.distribution),
        )

    def explain(self, kind: str, name: str) -> str:
        """Explains why a name is missing; see `essmc_core.registry.registry.Explain`."""
        other = explain_other_kind(kind, name, self.registries, self.zoo)
        return other or explain_missing(kind, name, self.packs.values())


@contextmanager
def _rare_collection() -> Iterator[None]:
    """Has Python search for garbage less: what discovery makes stays, and searching it takes a tenth of the time."""
    before = gc.get_threshold()
    # A threshold of 0 means that nothing is searched for, and stays.
    gc.set_threshold(before[0] and max(before[0], _RARELY), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _bring(pack: Pack, staged: Registered, components: Mapping[str, list[Component]], harvest: _Harvest) -> None:
    """Adds to the harvest what a pack registered."""
    entries, commands = staged.zoo.entries(), staged.commands.commands()
    for kind, found in components.items():
        harvest.components.setdefault(kind, []).extend(found)
    harvest.entries.extend(entries)
    harvest.templates.extend(staged.zoo.templates)
    harvest.commands.extend(commands)
    pack.components = {kind: len(found) for kind, found in components.items()}
    pack.zoo_files, pack.zoo_tables = len(entries), tuple(staged.zoo.templates)
    pack.commands = tuple(command.name for command in commands)
    pack.remarks.extend(filter(None, map(empty_folder, staged.zoo.folders)))


def _as_pack(installed: Installed, harvest: _Harvest) -> Pack:
    pack = Pack(
        name=pack_name(installed.name),
        distribution=installed.name,
        version=installed.version,
        source=installed.source,
        entry_points=tuple(point.value for point in installed.entry_points),
        remarks=list(installed.remarks),
    )
    if pack.distribution in harvest.packs:
        pack.distribution = f"{installed.name} ({installed.folder})"
    harvest.packs[pack.distribution] = pack
    return pack


def _require_usable(pack: Pack, installed: Installed, harvest: _Harvest) -> None:
    """Raises, before anything is imported, if a distribution cannot be used as a pack."""
    if installed.problem is not None:
        if not installed.is_pack:
            pack.status = "skipped"
        raise installed.problem
    require_compatible(installed.name, installed.core_requirement, __version__)
    # A second prefix would make `essmc-essmc-core` look like the core's own in qualified names.
    bare = pack.name
    while bare.startswith("essmc-"):
        bare = bare.removeprefix("essmc-")
    if bare in RESERVED or bare == "essmc":
        raise ReservedName(
            f"{pack.distribution} would be called {pack.name!r} in qualified names, which is reserved for the core",
            hint=f"its author must call it otherwise; pip uninstall {pack.distribution}",
        )
    owner = harvest.owners.setdefault(pack.name, pack.distribution)
    if owner != pack.distribution:
        raise DuplicateComponent(f"{pack.distribution} would be called {pack.name!r} in qualified names, as {owner} is")


def _quarantine(pack: Pack, error: BaseException, harvest: _Harvest) -> None:
    pack.error = error
    if pack.status == "ok":
        pack.status = "quarantined"
    harvest.plugins.withdraw(pack.distribution)


def _is_of_a_pack(record: Component | ZooEntry | Command) -> bool:
    return record.pack != LOCAL


def _heavy_modules() -> list[str]:
    return [name for name in HEAVY if name in sys.modules]
