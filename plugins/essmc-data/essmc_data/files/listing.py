"""Which files lie below a folder, local or of a URL."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from essmc_core.inputs.media_files import is_hidden
from essmc_data.errors import DatasetNotFound
from essmc_data.files.locations import is_url, local_path


def list_files(root: str, suffixes: Sequence[str]) -> list[str]:
    """Returns the files below a folder, relative to it, sorted, with ``/`` between the parts.

    Hidden files, and what systems leave behind (see `essmc_core.inputs.media_files`), are left out.

    Args:
        root: a local folder or a URL.
        suffixes: endings to keep, lower case, with the dot.

    Raises:
        DatasetNotFound: there is no such folder.
    """
    found = _remote_files(root) if is_url(root) else _local_files(local_path(root))
    return sorted(name for name in found if name.lower().endswith(tuple(suffixes)) and not is_hidden(name))


def _local_files(root: Path) -> list[str]:
    if not root.is_dir():
        raise DatasetNotFound(f"There is no folder {root}.")
    found = []
    # Links are followed: datasets are often folders of links. One that leads back above itself ends there.
    above: dict[str, frozenset[tuple[int, int]]] = {}
    for folder, folders, names in os.walk(root, followlinks=True):
        status = os.stat(folder)
        here, before = (status.st_dev, status.st_ino), above.pop(folder, frozenset())
        if here in before:
            folders.clear()
            continue
        above.update({os.path.join(folder, name): before | {here} for name in folders})
        found += [(Path(folder) / name).relative_to(root).as_posix() for name in names]
    return found


def _remote_files(root: str) -> list[str]:
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(root)
        found = filesystem.find(path)
    except Exception as error:
        raise DatasetNotFound(f"{root} cannot be listed: {type(error).__name__}: {error}.") from error
    return [str(name)[len(path) :].lstrip("/") for name in found]
