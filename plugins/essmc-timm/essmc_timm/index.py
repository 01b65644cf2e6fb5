"""The index of timm's models, read once per installed timm and kept in the user's cache folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zlib import crc32

from essmc_core.errors import MissingDependency
from essmc_core.foundation.paths import cache_dir
from essmc_timm.model_names import Index

_FORMAT = 1


def load_index(models_folder: Path | None = None) -> Index:
    """Returns the index of a timm installation, from the cache when it is up to date.

    A cache that cannot be read or written costs time, never an error.

    Args:
        models_folder: its ``timm/models``; that of the importable timm by default.

    Raises:
        MissingDependency: timm is not installed.
    """
    folder = models_folder or find_models_folder()
    fingerprint = _fingerprint(folder)
    # One file per installation: two environments that share a cache must not evict each other.
    cache_file = cache_dir() / "timm" / f"index-{crc32(os.fsencode(folder)):08x}.json"
    index = _read_cache(cache_file, fingerprint)
    if index is None:
        from essmc_timm.scan import scan

        index = scan(folder)
        _write_cache(cache_file, fingerprint, index)
    return index


def find_models_folder() -> Path:
    """Returns ``timm/models`` of the importable timm, without importing it.

    Raises:
        MissingDependency: timm is not installed.
    """
    # For a top-level package find_spec reads the folder only; it does not import it.
    spec = find_spec("timm")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependency("essmc-timm needs timm, which is not installed", hint="pip install timm")
    return Path(spec.submodule_search_locations[0], "models")


def _fingerprint(folder: Path) -> str:
    """Changes whenever a source file does: cheaper than reading timm's version, and right for editable installs too."""
    with os.scandir(folder) as entries:
        files = [entry for entry in entries if entry.name.endswith(".py")]
        stats = sorted((entry.name, entry.stat().st_mtime_ns, entry.stat().st_size) for entry in files)
    return f"{_FORMAT}-{len(stats)}-{crc32(repr(stats).encode()):08x}"


def _read_cache(path: Path, fingerprint: str) -> Index | None:
    try:
        content = json.loads(path.read_bytes())
        return _decode(content) if content["fingerprint"] == fingerprint else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _decode(content: Mapping[str, Any]) -> Index:
    lists = content["models"].values()
    deprecated = content["deprecated"]
    texts = [name for names in lists for name in names] + [*deprecated, *deprecated.values()]
    if not all(isinstance(names, list) for names in lists) or not all(isinstance(text, str) for text in texts):
        raise ValueError("not an index")
    return Index({module: tuple(names) for module, names in content["models"].items()}, deprecated)


def _write_cache(path: Path, fingerprint: str, index: Index) -> None:
    """Replaces the file in one step, so that a process reading meanwhile sees the old one or the new one."""
    import tempfile

    content = {"fingerprint": fingerprint, "models": index.models, "deprecated": index.deprecated}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    except OSError:
        return
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, separators=(",", ":"))
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
