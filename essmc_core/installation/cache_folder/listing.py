"""Lists the files of the cache folder, weights with their address, digest and zoo entries."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essmc_core.errors import EssmcError
from essmc_core.foundation.paths import cache_dir
from essmc_core.installation.cache_folder.categories import WEIGHTS, category_of
from essmc_core.weights.cache import cached_path, origin_of
from essmc_core.zoo.zoo import ZooEntry


@dataclass(frozen=True, slots=True)
class CachedFile:
    """One file of the cache folder.

    Attributes:
        path: where it is.
        category: one of `CATEGORIES`.
        size: in bytes.
        modified: when it was written, in seconds since the epoch.
        uri: where weights were fetched from, without credentials; empty if that is not known.
        sha256: the digest that weights must have, or its first digits; empty if that is not known.
        entries: the zoo entries that the weights are of.
    """

    path: Path
    category: str
    size: int
    modified: float
    uri: str = ""
    sha256: str = ""
    entries: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Returns plain data for JSON; weights alone have an address, a digest and entries."""
        known: dict[str, object] = {
            "path": str(self.path), "category": self.category, "size": self.size, "modified": self.modified,
        }  # fmt: skip
        if self.category != WEIGHTS:
            return known
        return {**known, "uri": self.uri or None, "sha256": self.sha256 or None, "entries": list(self.entries)}


def files_in_cache(entries: Iterable[ZooEntry] = ()) -> list[CachedFile]:
    """Returns the files of the cache folder, by category and path; links are listed and not followed.

    Args:
        entries: the zoo entries that weights may be of; those that cannot be read are skipped.
    """
    folder = cache_dir()
    found = list(_walk(folder))
    if any(file.category == WEIGHTS for file in found):
        named = _names_by_path(entries)
        found = [_with_origin(file, named) if file.category == WEIGHTS else file for file in found]
    return sorted(found, key=lambda file: (file.category, file.path))


def _walk(folder: Path) -> Iterator[CachedFile]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                status = path.lstat()
            except OSError:
                # Another process has just removed it.
                continue
            yield CachedFile(path, category_of(path.relative_to(folder)), status.st_size, status.st_mtime)


def _names_by_path(entries: Iterable[ZooEntry]) -> Mapping[Path, list[str]]:
    found: dict[Path, list[str]] = {}
    for entry in entries:
        try:
            uri, digest = entry.facts.uri, entry.facts.sha256
            for path in {cached_path(uri, digest or None), cached_path(uri, None)} if uri else ():
                found.setdefault(path, []).append(entry.qualified)
        except (EssmcError, ValueError):
            continue
    return found


def _with_origin(file: CachedFile, named: Mapping[Path, list[str]]) -> CachedFile:
    origin = read_origin(file.path)
    folder = file.path.parent.name
    stated = folder.removeprefix("sha256-") if folder.startswith("sha256-") else ""
    return CachedFile(
        file.path, file.category, file.size, file.modified, str(origin.get("uri") or ""),
        max(stated, str(origin.get("sha256") or ""), key=len), tuple(named.get(file.path, ())),
    )  # fmt: skip


def read_origin(path: Path) -> Mapping[str, Any]:
    """Returns what was recorded when a file was fetched, empty if nothing was or it cannot be read."""
    try:
        origin = json.loads(origin_of(path).read_bytes())
    except (OSError, ValueError):
        return {}
    return origin if isinstance(origin, dict) else {}
