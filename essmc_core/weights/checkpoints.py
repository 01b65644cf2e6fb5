"""The checkpoints in a work dir of training: their names, which one the folder refers to, whether one is intact."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

BEST = "best.pth"
NAME = re.compile(r"epoch-(\d+)(?:-iter-(\d+))?\.pth")
SEAL = b"sha256:"
SEAL_SIZE = len(SEAL) + 64
END_RECORD = b"PK\x05\x06"
END_RECORD_SIZE = 22


def newest_first(folder: Path) -> list[Path]:
    """Returns the checkpoints in a folder, newest first by their names, without the best one."""
    found = (
        {match: path for path in folder.iterdir() if (match := NAME.fullmatch(path.name))} if folder.is_dir() else {}
    )
    return [
        found[match] for match in sorted(found, key=lambda match: (int(match[1]), int(match[2] or 0)), reverse=True)
    ]


def standing_for(folder: Path) -> Iterator[Path]:
    """Yields the checkpoints that a folder may refer to: the best one, then the others from newest to oldest."""
    best = folder / BEST
    if best.is_file():
        yield best
    real = best.resolve()
    yield from (path for path in newest_first(folder) if path.resolve() != real)


def is_sealed(path: Path) -> bool:
    """Returns whether a file contains a hash of its content, as checkpoints of runs do."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - SEAL_SIZE))
        return file.read(len(SEAL)) == SEAL


def damage(path: Path) -> str:
    """Returns how a sealed file differs from what was written, empty if it does not."""
    size = path.stat().st_size
    if size < END_RECORD_SIZE + SEAL_SIZE:
        return f"{path} is cut short: it has {size} bytes."
    with path.open("rb") as file:
        file.seek(size - END_RECORD_SIZE - SEAL_SIZE)
        if file.read(4) != END_RECORD:
            return f"{path} is cut short, or no checkpoint of this program."
        file.seek(size - SEAL_SIZE)
        seal = file.read()
        file.seek(0)
        if seal != SEAL + _digest(file, size - SEAL_SIZE - 2):
            return f"{path} was changed after it was written: its hash is another."
    return ""


def _digest(file: BinaryIO, size: int) -> bytes:
    digest = hashlib.sha256()
    while size > 0:
        block = file.read(min(size, 1 << 20))
        if not block:
            break
        digest.update(block)
        size -= len(block)
    return digest.hexdigest().encode()
