"""Replaces several files of a folder: all of them, or none if one cannot be."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path


def replace_files(folder: Path, changed: Mapping[str, bytes], removed: Sequence[str] = ()) -> None:
    """Writes and removes files; what was done is undone if a step fails or is interrupted.

    Args:
        folder: that the names are relative to.
        changed: new content by name.
        removed: names of files to remove.

    Raises:
        OSError: a file cannot be written or removed; the folder is as it was.
    """
    before = {name: _content(folder / name) for name in (*changed, *removed)}
    done: list[str] = []
    try:
        for name in before:
            done.append(name)
            _put(folder / name, changed.get(name))
    except BaseException:
        for name in done:
            _put(folder / name, before[name])
        raise


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _put(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_bytes(content)
        if path.exists():
            os.chmod(temporary, path.stat().st_mode & 0o777)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
