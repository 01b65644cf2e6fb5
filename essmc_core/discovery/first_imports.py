"""Tells when certain modules have been imported for the first time, before whoever imports them can change them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import partial
from importlib.machinery import ModuleSpec

from essmc_core.discovery.wrapped_loader import WrappedLoader


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
            spec.loader = WrappedLoader(spec.loader, partial(self._execute, name))  # type: ignore[assignment]
        return spec

    def _execute(self, name: str, execute: Callable[[], None]) -> None:
        execute()
        self._tell(name)
