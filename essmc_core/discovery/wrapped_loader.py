"""A module loader around another one."""

from __future__ import annotations

from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class WrappedLoader:
    """Has a module executed by a function, and is replaced by the true loader while it does.

    Args:
        loader: the true one.
        run: called with what executes the module.
    """

    def __init__(self, loader: Any, run: Callable[[Callable[[], None]], None]) -> None:
        self._loader = loader
        self._run = run

    def create_module(self, spec: ModuleSpec) -> Any:
        """Returns what the true loader does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Executes the module."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._run(lambda: self._loader.exec_module(module))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
