"""Records of packs whose import took too long or ended the process, kept in the cache folder for later processes.

While a process discovers packs, a locked file names the one that is being imported. If such a file is not locked, its
process ended during the import.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from essmc_core.discovery.distributions import Installed
from essmc_core.errors import EssmcError
from essmc_core.foundation.paths import cache_dir

_MARKER = "importing-"
_WIDTH = 256
_MOST_FILES = 5000
# POSIX locks do not exclude the process that holds them, and closing any descriptor of a file releases them.
_own_markers: set[str] = set()


class PackLeftOut(EssmcError, ImportError):
    """A pack that took too long or ended the process last time, and again when it was tried in a separate process."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A failure of a pack.

    Attributes:
        what: description, e.g. ``took 41.2 s to import``.
        seconds: how long its import took; 0 if it ended the process.
        confirmed: whether it failed in a separate process too.
        fingerprint: of what was installed then; empty if that is not known.
    """

    what: str
    seconds: float = 0.0
    confirmed: bool = False
    fingerprint: str = ""


class Ledger:
    """Troubles by distribution, one file each; none are known if the folder cannot be read or written."""

    def __init__(self) -> None:
        self._folder = _folder()
        self._marker: int | None = None
        self._marker_path = Path()

    def troubles(self) -> dict[str, Trouble]:
        """Returns the known troubles, including those of packs that ended an earlier process."""
        found: dict[str, Trouble] = {}
        try:
            names = os.listdir(self._folder) if self._folder else []
        except OSError:
            return found
        for name in sorted(names):
            path = Path(self._folder or "", name)
            if name in _own_markers:
                continue
            if name.startswith(_MARKER):
                distribution = _left_behind(path)
                if distribution:
                    found[distribution] = Trouble("ended the process while it was imported")
                    self.note(distribution, found[distribution])
            elif name.endswith(".json"):
                # A file that cannot be parsed is ignored.
                with contextlib.suppress(Exception):
                    written = json.loads(path.read_text(encoding="utf-8"))
                    found.setdefault(str(written.pop("distribution")), _checked(written))
        return found

    def note(self, distribution: str, trouble: Trouble) -> None:
        """Stores a trouble for later processes."""
        from essmc_core.foundation.atomic import write_text

        if self._folder is not None:
            with contextlib.suppress(OSError):
                self._folder.mkdir(parents=True, exist_ok=True)
                write_text(self._path(distribution), json.dumps({"distribution": distribution, **asdict(trouble)}))

    def forget(self, distribution: str) -> None:
        """Removes the record of a pack."""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                self._path(distribution).unlink()

    def _path(self, distribution: str) -> Path:
        return Path(self._folder or "", re.sub(r"[^a-z0-9-]", "_", distribution)[:120] + ".json")

    @contextlib.contextmanager
    def marking(self) -> Iterator[None]:
        """Holds the locked file that names the pack being imported."""
        self._open_marker()
        try:
            yield
        finally:
            if self._marker is not None:
                with contextlib.suppress(OSError):
                    self._marker_path.unlink()
                with contextlib.suppress(OSError):
                    os.close(self._marker)
                self._marker = None

    def _open_marker(self) -> None:
        if self._folder is None:
            return
        self._marker_path = self._folder / f"{_MARKER}{os.urandom(8).hex()}"
        _own_markers.add(self._marker_path.name)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._marker = os.open(self._marker_path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError:
            return
        if not _lock(self._marker):
            with contextlib.suppress(OSError):
                os.close(self._marker)
                self._marker_path.unlink()
            self._marker = None

    def importing(self, distribution: str) -> None:
        """Writes the pack that is imported from now on to the file; empty for none."""
        if self._marker is not None:
            with contextlib.suppress(OSError):
                os.lseek(self._marker, 0, os.SEEK_SET)
                os.write(self._marker, distribution.encode()[:_WIDTH].ljust(_WIDTH))


def forget_all() -> None:
    """Removes every record, so that each pack is tried again."""
    ledger = Ledger()
    for distribution in ledger.troubles():
        ledger.forget(distribution)


def fingerprint(installed: Installed) -> str:
    """Returns a text that changes if a pack is reinstalled or edited."""
    parts: list[Any] = [installed.version, sys.version]
    for name in ("RECORD", "METADATA"):
        with contextlib.suppress(OSError):
            status = os.stat(os.path.join(installed.folder, name))
            parts += [status.st_mtime_ns, status.st_size]
    for point in installed.entry_points:
        parts += _state_of_source(point.value.partition(":")[0].partition(".")[0])
    return repr(parts)


def _state_of_source(package: str) -> list[int]:
    with contextlib.suppress(ImportError, ValueError, AttributeError, OSError):
        spec = find_spec(package)
        folders = list(spec.submodule_search_locations or ()) if spec is not None else []
        files = [Path(spec.origin)] if spec is not None and not folders and spec.origin else []
        for folder in folders:
            files += [path for path, _ in zip(Path(folder).rglob("*.py"), range(_MOST_FILES), strict=False)]
        states = [path.stat() for path in files]
        return [len(states), sum(s.st_size for s in states), max((s.st_mtime_ns for s in states), default=0)]
    return []


def _folder() -> Path | None:
    # Without a known home folder nothing is stored.
    try:
        return cache_dir() / "discovery"
    except (RuntimeError, OSError, EssmcError):
        return None


def _checked(written: dict[str, Any]) -> Trouble:
    trouble = Trouble(**written)
    if not (isinstance(trouble.what, str) and isinstance(trouble.fingerprint, str)):
        raise TypeError("not a note of ours")
    return Trouble(trouble.what, float(trouble.seconds), bool(trouble.confirmed), trouble.fingerprint)


def _left_behind(marker: Path) -> str:
    """Returns the distribution that a dead process was importing, and removes its file; empty for none."""
    try:
        descriptor = os.open(marker, os.O_RDWR)
    except OSError:
        return ""
    try:
        if not _lock(descriptor):
            return ""
        name = os.read(descriptor, _WIDTH).decode("utf-8", errors="replace").strip()
        marker.unlink()
        return name
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Locks a file unless another process has locked it; the lock is released when the process ends in any way."""
    try:
        import fcntl
    except ImportError:
        # On other platforms an open file cannot be removed, which is equivalent.
        return True
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
