"""The folder of downloaded weights: names, atomic publication, one writer at a time, offline mode."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote, urlsplit

from essmc_core.foundation.paths import cache_dir
from essmc_core.foundation.settings import FALSE, flag


def weights_cache() -> Path:
    """Returns the folder for weights, which may not exist yet."""
    return cache_dir() / "weights"


def is_offline() -> bool:
    """Returns whether ``ESSMC_OFFLINE`` or ``HF_HUB_OFFLINE`` forbids network access.

    Raises:
        SettingError: ``ESSMC_OFFLINE`` is neither true nor false.
    """
    return flag("ESSMC_OFFLINE") or os.environ.get("HF_HUB_OFFLINE", "").lower() not in FALSE


def cached_path(uri: str, sha256: str | None) -> Path:
    """Returns the path in the cache for a URI.

    Files with a stated digest are named by it, whichever URI they came from; the others by their URI.
    """
    name = re.sub(r"[^\w.+-]", "_", unquote(urlsplit(uri).path).rsplit("/", 1)[-1])[-100:].lstrip(".") or "weights"
    identity = f"sha256-{sha256}" if sha256 else f"uri-{hashlib.sha256(uri.encode()).hexdigest()[:32]}"
    return weights_cache() / identity / name


def discard(path: Path) -> None:
    """Deletes a file that does not contain weights, if it is in the cache, so that it is fetched again next time."""
    if weights_cache() in path.parents:
        path.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Opens a temporary file that is renamed to ``path`` if, and only if, the block ends without an exception."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield cast(BinaryIO, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def publish(path: Path, content: bytes) -> None:
    """Writes a small file atomically."""
    with writing(path) as stream:
        stream.write(content)


@contextmanager
def sole_writer(path: Path) -> Iterator[None]:
    """Waits until no other process is fetching ``path``, and removes temporary files of killed processes."""
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.parent / f".{path.name}.lock"):
        for leftover in path.parent.glob(".*.part"):
            leftover.unlink(missing_ok=True)
        yield
