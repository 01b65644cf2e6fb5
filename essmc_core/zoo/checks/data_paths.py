"""Checks for folders and files of data that a configuration names and that do not exist on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

_ENDINGS = ("_dir", "_path", "_file")


def missing_data(data: Any) -> list[str]:
    """Returns one line for each missing folder or file of data.

    A configuration may be checked on a machine without its data, so these are remarks and not mistakes. Paths that are
    not local are skipped.

    Args:
        data: the section ``data`` of a configuration: ``train`` and ``eval``, each with a ``dataset``.
    """
    return [f"{path}: there is no {value} here" for path, value in _paths(data, "data") if not _is_there(value)]


def _paths(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, str) and str(key).endswith(_ENDINGS) and "." in path:
                yield f"{path}.{key}", item
            elif key != "pipeline":
                yield from _paths(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _paths(item, f"{path}.{number}")


def _is_there(location: str) -> bool:
    if not location or "://" in location or "::" in location:
        return True
    try:
        return os.path.lexists(location) or os.path.lexists(os.path.expanduser(location))
    except (OSError, ValueError):
        return False
