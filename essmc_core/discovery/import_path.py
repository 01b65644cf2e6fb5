"""Which file importing a module would run, found without importing it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from essmc_core.discovery.constant import is_constant
from essmc_core.discovery.metadata_folders import belongs_to_python
from essmc_core.discovery.recorded import SourceFile
from essmc_core.foundation.file_state import state_of


class ImportPath:
    """The folders of ``sys.path``, listed once."""

    def __init__(self) -> None:
        self._first: dict[str, str] | None = None
        self._others: list[Any] = []

    def would_import(self, sources: Mapping[str, Sequence[SourceFile]]) -> bool:
        """Returns whether importing modules would run exactly these files, unchanged, and run them now.

        Args:
            sources: see `Recorded.sources`.
        """
        first = self._listed()
        for module, files in sources.items():
            if module in sys.modules:
                return False
            if "." not in module and not self._is_first(module, files[0][0], first):
                return False
        return all(state_of(path) == state for files in sources.values() for path, state in files)

    def sources(self, modules: Sequence[str]) -> dict[str, list[SourceFile]] | None:
        """Returns the files of imported modules as `Recorded.sources` has them; None if one is not constant.

        Args:
            modules: names of all modules that an import added.
        """
        found: dict[str, list[SourceFile]] = {}
        for name in modules:
            spec = getattr(sys.modules.get(name), "__spec__", None)
            origin = str(getattr(spec, "origin", None) or "")
            if not origin.endswith(".py"):
                return None
            package = getattr(spec, "submodule_search_locations", None) is not None
            if package and os.path.basename(origin) != "__init__.py":
                return None
            folder = [[os.path.dirname(origin), state_of(os.path.dirname(origin))]] if package else []
            found[name] = [[origin, state_of(origin)], *folder]
            if "." in name and name.rpartition(".")[0] not in modules:
                return None
        return found if all(_is_constant(files[0][0], modules) for files in found.values()) else None

    def _is_first(self, module: str, origin: str, first: Mapping[str, str]) -> bool:
        root = first.get(module)
        if root is None or origin not in (f"{root}{module}.py", f"{root}{module}{os.sep}__init__.py"):
            return False
        # Finders of other libraries, as for editable installs, may be asked before or instead of the path.
        return all(finder.find_spec(module, None) is None for finder in self._others)

    def _listed(self) -> Mapping[str, str]:
        """Returns the first folder of the path, with a separator, that has anything of each name."""
        if self._first is None:
            first: dict[str, str] = {}
            for entry in sys.path:
                folder = os.path.join(entry or os.getcwd(), "")
                try:
                    names = os.listdir(folder)
                except OSError:
                    # An archive, or nothing.
                    names = []
                for name in names:
                    first.setdefault(name.partition(".")[0], folder)
            self._others = [finder for finder in sys.meta_path if not belongs_to_python(finder)]
            self._first = first
        return self._first


def _is_constant(path: str, modules: Sequence[str]) -> bool:
    try:
        with open(path, encoding="utf-8") as file:
            return is_constant(file.read(), modules)
    except (OSError, ValueError):
        return False
