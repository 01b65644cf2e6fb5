"""What a pack does when it is discovered, as a child process saw it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from essmc_devkit.children.culprit import culprit
from essmc_devkit.children.environment import child_environment
from essmc_devkit.children.limits import Limits
from essmc_devkit.children.process import ChildEnded, ChildProcess
from essmc_devkit.installation.pack_under_test import PackUnderTest

_START_SECONDS = 300.0
_STATEFUL = ("json", "locale", "logging", "random", "signal", "socket", "subprocess", "threading", "warnings")
"""Modules of the standard library with state that is seen to change only if they are imported before."""
_CHILD = "essmc_devkit.installation.observing"


@dataclass(frozen=True)
class Named:
    """A component, a zoo entry or a command that a pack registers.

    Attributes:
        kind: plural name of the registry, ``zoo`` or ``commands``.
        name: without the pack.
        bare: whether it can be used without the pack's name.
        target: what it stands for: an import string, the file of an entry, or what makes it from a table.
        summary: its line in listings.
    """

    kind: str
    name: str
    bare: bool = True
    target: str = ""
    summary: str = ""


@dataclass(frozen=True)
class Observation:
    """What was seen.

    Attributes:
        status: of the pack, see `essmc_core.discovery.pack.Pack`; ``ended`` if the process did not survive.
        reason: why it is not in use, or how the process ended.
        remedy: what to do about that.
        error: class of the exception that broke it.
        where: line of the pack that broke it.
        registered: what it registers.
        hooks: functions that are called as its hooks, as ``module:name``.
        heavy: large libraries that it imports, each with the line that does.
        heavy_once: those that only its first discovery on a machine imports, to fill a cache.
        seconds: wall time of import and hooks.
        output: what it wrote to standard output and error.
        changed: global state that it changed.
        patched: what it replaced in modules that are not its own.
        acts: what it did that outlives its discovery: files written, processes and threads started, connections made.
        libraries: what it imports of other distributions.
        again: why a second discovery in the same process gives something else, empty if it does not.
    """

    status: str
    reason: str = ""
    remedy: str = ""
    error: str = ""
    where: str = ""
    registered: tuple[Named, ...] = ()
    hooks: tuple[str, ...] = ()
    heavy: Mapping[str, str] = field(default_factory=dict)
    heavy_once: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    output: str = ""
    changed: tuple[str, ...] = ()
    patched: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    again: str = ""


def observe(pack: PackUnderTest, limits: Limits, cache: Path, preload: Sequence[str] = ()) -> Observation:
    """Discovers a pack, alone, in a child process.

    Args:
        pack: what is discovered.
        limits: what the child may take.
        cache: the core's cache folder, the one place where a pack may write.
        preload: libraries to import before, so that changes of them are seen.
    """
    with tempfile.TemporaryDirectory(prefix="essmc-check-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        child = ChildProcess(_CHILD, _environment(pack, folder, cache), _made(folder / "cwd"))
        try:
            request = {
                "pack": pack.pack,
                "packages": [str(path) for path in pack.packages],
                "folder": str(folder / "cwd"),
                "cache": str(cache),
                "seconds": limits.seconds,
                "memory": limits.memory,
            }
            for first in ({"preload": [*_STATEFUL, *preload]}, request):
                # The import of the core and of libraries is none of the pack's time, nor is what they print its output.
                child.read_line(limits, time.monotonic() + _START_SECONDS)
                child.send(json.dumps(first))
            seen = json.loads(child.read_line(limits, time.monotonic() + limits.seconds))
            return _from_message(seen, child.errors())
        except ChildEnded as end:
            return Observation("ended", end.message, where=culprit(end.errors, pack.packages), error=end.how)
        finally:
            child.close()


def _environment(pack: PackUnderTest, folder: Path, cache: Path) -> Mapping[str, str]:
    home = str(_made(folder / "home"))
    # Nothing of the user's is read or written: a record of an earlier failure would be in the cache.
    return child_environment(pack.sites, ESSMC_PACKS="", ESSMC_CACHE_DIR=str(cache), HOME=home, USERPROFILE=home)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _from_message(seen: dict[str, Any], errors: str) -> Observation:
    named = tuple(Named(**one) for one in seen.pop("registered"))
    lists: dict[str, Any] = {key: tuple(seen.pop(key)) for key in ("hooks", "changed", "patched", "acts", "libraries")}
    return Observation(**seen, **lists, registered=named, output=errors.strip())
