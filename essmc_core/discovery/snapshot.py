"""What packs registered last time, for those whose plugin modules register the same whenever they are imported.

Importing a module takes a tenth of a millisecond and more, and every process that imports the core imports those of all
packs. A pack whose modules are constant (`essmc_core.discovery.constant`), and whose files and metadata are those that
were recorded, is therefore restored from a file in the cache folder, one for each folder of installed distributions.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from essmc_core.discovery.commands import StagedCommands
from essmc_core.discovery.distributions import Installed
from essmc_core.discovery.import_path import ImportPath
from essmc_core.discovery.recorded import Recorded, is_plain, row_of
from essmc_core.discovery.staging import StagedRegistries, StagedZoo
from essmc_core.errors import EssmcError
from essmc_core.foundation.file_state import State, state_of
from essmc_core.foundation.paths import cache_dir
from essmc_core.foundation.version import __version__

_FORMAT = 2
_METADATA = ("entry_points.txt", "METADATA", "direct_url.json")
_SETTLED_NS = 2_000_000_000
_KEPT_SECONDS = 90 * 86_400


@dataclass(frozen=True, slots=True)
class Registered:
    """What a pack registered.

    Attributes:
        components: of all kinds.
        zoo: its entries.
        commands: its commands.
    """

    components: StagedRegistries
    zoo: StagedZoo
    commands: StagedCommands


class Snapshot:
    """The records of all folders of distributions; empty where the cache folder cannot be used."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Recorded]] = {}
        self._changed: dict[str, dict[str, Recorded]] = {}
        self._import_path = ImportPath()
        self._seen: set[str] = set()

    def installed(self, folder: str) -> Installed | None:
        """Returns the metadata of a distribution if it is recorded and has not changed, without reading it.

        Args:
            folder: its ``.dist-info``.
        """
        record = self._in_folder(os.path.dirname(folder)).get(folder)
        if record is None or _states(folder) != record.metadata:
            return None
        self._seen.add(folder)
        return record.installed

    def restored(self, installed: Installed) -> Recorded | None:
        """Returns what a pack registered, if importing it would register the same again."""
        record = self._in_folder(os.path.dirname(installed.folder)).get(installed.folder)
        # What was read anew is another object.
        if record is None or record.installed is not installed:
            return None
        return record if self._import_path.would_import(record.sources) else None

    def record(self, pack: Registered, installed: Installed, modules_before: int, ms: float) -> None:
        """Records what a pack registered, if it would register the same again.

        Args:
            pack: what it registered.
            installed: its metadata.
            modules_before: how many modules were imported before it was.
            ms: milliseconds that its import took.
        """
        if installed.problem or installed.remarks or not os.path.isdir(installed.folder):
            return
        # Modules are kept in the order in which they were imported.
        new = list(islice(sys.modules, modules_before, None))
        modules = {point.value.partition(":")[0] for point in installed.entry_points}
        # A module that was there already may have been changed since.
        sources = self._import_path.sources(new) if modules <= set(new) else None
        metadata = _states(installed.folder)
        if sources is None or not _is_settled([files[0][1] for files in sources.values()] + metadata):
            return
        found = Recorded(
            installed,
            metadata,
            sources,
            pack.components.kinds,
            {kind: list(map(row_of, rows)) for kind, rows in pack.components.components().items()},
            [str(folder) for folder in pack.zoo.folders],
            [[str(one.template), str(one.table), one.bare] for one in pack.zoo.templates],
            [[command.name, command.target, command.help] for command in pack.commands.commands()],
            ms,
        )
        if is_plain(found):
            self._changed.setdefault(os.path.dirname(installed.folder), {})[installed.folder] = found

    def save(self) -> None:
        """Writes what is new, together with what is still there; nothing where the cache folder cannot be written."""
        for parent, changed in self._changed.items():
            kept = {key: record for key, record in self._in_folder(parent).items() if key in self._seen}
            rows = [record.as_json() for record in {**kept, **changed}.values()]
            with contextlib.suppress(OSError, EssmcError, RuntimeError):
                _write(_file(parent), rows)
        self._changed.clear()

    def _in_folder(self, parent: str) -> dict[str, Recorded]:
        if parent not in self._records:
            self._records[parent] = {}
            # Whatever is in that file, packs are discovered.
            with contextlib.suppress(Exception):
                rows = json.loads(_file(parent).read_bytes())
                records = [Recorded.of_json(row) for row in rows]
                self._records[parent] = {record.installed.folder: record for record in records}
        return self._records[parent]


def forget() -> None:
    """Removes every snapshot, so that each pack is imported again."""
    with contextlib.suppress(OSError, EssmcError, RuntimeError):
        for path in _folder().glob("*.json"):
            path.unlink()


def _folder() -> Path:
    return cache_dir() / "registered"


def _file(parent: str) -> Path:
    key = json.dumps([_FORMAT, __version__, sys.version, sys.prefix, os.path.abspath(parent)])
    return _folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def _write(path: Path, rows: list[Any]) -> None:
    from essmc_core.foundation.atomic import write_text

    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(rows, separators=(",", ":")))
    # Environments come and go; what is removed too early is recorded again.
    for other in path.parent.glob("*.json"):
        if other.stat().st_mtime < time.time() - _KEPT_SECONDS:
            other.unlink()


def _states(folder: str) -> list[State]:
    return [state_of(f"{folder}{os.sep}{name}") for name in _METADATA]


def _is_settled(states: list[State]) -> bool:
    """Returns whether all files are old enough that another change would show in their times."""
    now = time.time_ns()
    return all(state is None or max(state[2:]) < now - _SETTLED_NS for state in states)
