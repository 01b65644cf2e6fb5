"""Keeps the facts of zoo entries' files in the cache folder, so that listings need not read the files again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from zlib import crc32

from essmc_core.errors import EssmcError
from essmc_core.foundation.atomic import write_text
from essmc_core.foundation.file_state import state_of
from essmc_core.foundation.paths import cache_dir
from essmc_core.foundation.version import __version__
from essmc_core.zoo.facts import Facts

_FORMAT = f"4-{__version__}"


class FactsCache:
    """Facts by file. They count as long as neither the file nor any of its bases was replaced or written to.

    The facts of each folder are one file of JSON, which is replaced as a whole: of two processes that write, one goes
    without what the other found. A cache that cannot be read or written costs time, never an error.

    Args:
        folder: returns where the files are kept.
    """

    def __init__(self, folder: Callable[[], Path] = cache_dir) -> None:
        self._folder = folder
        self._known: dict[Path, dict[str, Any]] = {}
        self._changed: set[Path] = set()

    def get(self, path: Path) -> Facts | None:
        """Returns the facts of an entry's file, None if they are not known or may have changed."""
        known = self._of_folder(path.parent).get(path.name)
        try:
            if known is None or not all(state_of(file) == stamp for file, *stamp in known["files"]):
                return None
            return Facts.from_plain(known["facts"])
        except (TypeError, KeyError, ValueError):
            return None

    def put(self, path: Path, files: Iterable[Path], facts: Facts) -> None:
        """Keeps facts, until `save` writes them.

        Args:
            path: the entry's file.
            files: it and all its bases.
            facts: what they say.
        """
        stamps = [(str(file), state_of(str(file))) for file in files]
        if all(stamp is not None for _, stamp in stamps):
            stated = [[file, *(stamp or ())] for file, stamp in stamps]
            self._of_folder(path.parent)[path.name] = {"files": stated, "facts": facts.to_plain()}
            self._changed.add(path.parent)

    def save(self) -> None:
        """Writes what was added."""
        changed, self._changed = self._changed, set()
        for folder in changed:
            try:
                target = self._file(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                write_text(target, json.dumps({"format": _FORMAT, "entries": self._known[folder]}))
            except (OSError, TypeError, ValueError, EssmcError):
                continue

    def _file(self, folder: Path) -> Path:
        return self._folder() / "zoo" / f"facts-{crc32(os.fsencode(folder)):08x}.json"

    def _of_folder(self, folder: Path) -> dict[str, Any]:
        if folder not in self._known:
            try:
                content = json.loads(self._file(folder).read_bytes())
                entries = content["entries"] if content["format"] == _FORMAT else {}
                self._known[folder] = entries if isinstance(entries, dict) else {}
            except (OSError, ValueError, KeyError, TypeError, EssmcError):
                self._known[folder] = {}
        return self._known[folder]
