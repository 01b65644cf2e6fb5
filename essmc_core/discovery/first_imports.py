"""Tells when certain modules have been imported for the first time, before whoever imports them can change them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class FirstImports:
    """A finder that finds what the others find, and is told when that has been executed; use it in a ``with``.

    Args:
        names: top-level modules; those that are imported already are left out.
        tell: called with the name of each when it is complete.
    """

    def __init__(self, names: Iterable[str], tell: Callable[[str], None]) -> None:
        self._names = set(names) - set(sys.modules)
        self._tell = tell

    def __enter__(self) -> FirstImports:
        sys.meta_path.insert(0, self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Returns the other finders' spec of one of the modules; None for all others."""
        if name not in self._names:
            return None
        self._names.discard(name)
        from importlib.util import find_spec

        spec = find_spec(name)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _Telling(spec.loader, name, self._tell)  # type: ignore[assignment]
        return spec


class _Telling:
    """A loader that tells when it has executed the module, and is replaced by the true one while it does."""

    def __init__(self, loader: Any, name: str, tell: Callable[[str], None]) -> None:
        self._loader = loader
        self._name = name
        self._tell = tell

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._tell(self._name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
