"""What entry points name, held against the hook specifications by pluggy, one plugin at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any, TypeAlias

import pluggy

from essmc_core.discovery.entry_points import EntryPoint
from essmc_core.discovery.hooks import GROUP, PackHooks
from essmc_core.errors import DuplicateComponent
from essmc_core.foundation.names import pack_name

Hook: TypeAlias = Callable[..., object]
_MARK = f"{GROUP}_impl"


class Plugins:
    """The plugins of the packs that are discovered, by the name of the distribution and a number.

    Discovery calls each pack's own implementations, never all of a hook, so pluggy's manager holds one plugin at a
    time: it searches its lists from the start whenever one is added, which a thousand packs would notice.
    """

    def __init__(self) -> None:
        self._plugins: dict[str, Callable[[], Any]] = {}
        self._owners: dict[int | str, str] = {}
        self._scratch = _manager()

    def admit(self, plugin: Any, name: str, value: str) -> Mapping[str, Hook]:
        """Checks a plugin against the hook specifications and returns its hooks, each with its positional arguments.

        Args:
            plugin: the module or object that an entry point names.
            name: ``distribution:number``.
            value: the entry point.

        Raises:
            PluginValidationError: it implements a hook that does not exist, or with other arguments.
            DuplicateComponent: another pack brings the same object, e.g. by stale metadata of a renamed distribution.
        """
        self._refuse_what_another_brings(value, value, id(plugin))
        try:
            self._scratch.register(plugin, name=name)
            self._scratch.check_pending()
            hooks = {
                hook: _positional(caller.get_hookimpls()[0])
                for hook, caller in vars(self._scratch.hook).items()
                if caller.get_hookimpls()
            }
            self._scratch.unregister(name=name)
        except BaseException:
            self._scratch = _manager()
            raise
        self._plugins[name] = lambda: plugin
        self._owners[id(plugin)] = self._owners[value] = name
        return hooks

    def expect(self, point: EntryPoint, name: str) -> None:
        """Adds a plugin that was found correct before, and is imported only if `manager` is called.

        Args:
            point: its entry point.
            name: ``distribution:number``.

        Raises:
            DuplicateComponent: another pack brings the same.
        """
        self._refuse_what_another_brings(point.value, point.value)
        self._plugins[name] = point.load
        self._owners[point.value] = name

    def _refuse_what_another_brings(self, value: str, *keys: int | str) -> None:
        for key in keys:
            if key in self._owners:
                other = self._owners[key].rpartition(":")[0]
                raise DuplicateComponent(
                    f"its entry point {value} is what {other} has registered already",
                    hint=f"is one of them an old name of the other? pip uninstall that one, or "
                    f"ESSMC_BLOCK={pack_name(other)}",
                )

    def withdraw(self, distribution: str) -> None:
        """Forgets the plugins of a pack that turned out to be broken."""
        for name in [name for name in self._plugins if name.rpartition(":")[0] == distribution]:
            del self._plugins[name]
            self._owners = {key: owner for key, owner in self._owners.items() if owner != name}

    def manager(self) -> pluggy.PluginManager:
        """Returns a manager with all plugins registered."""
        manager = _manager()
        for name, load in self._plugins.items():
            manager.register(load(), name=name)
        return manager


class _Manager(pluggy.PluginManager):
    """A manager that does not ask every attribute of a module by `inspect` whether it is a hook."""

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        if isinstance(plugin, ModuleType):
            found = vars(plugin).get(name)
            if type(found) is FunctionType:
                return getattr(found, _MARK, None)
            if not isinstance(found, (staticmethod, classmethod, MethodType)):
                return None
        return super().parse_hookimpl_opts(plugin, name)


def _manager() -> pluggy.PluginManager:
    manager = _Manager(GROUP)
    manager.add_hookspecs(PackHooks)
    return manager


def _positional(implementation: Any) -> Hook:
    """Returns an implementation, which may take no argument, as a function that takes one."""
    function: Hook = implementation.function
    return function if implementation.argnames else lambda _: function()
