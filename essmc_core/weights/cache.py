"""The folder of downloaded weights: names, atomic publication, one writer at a time, offline mode."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote, urlsplit

from essmc_core.foundation.addresses import public_address
from essmc_core.foundation.paths import cache_dir
from essmc_core.foundation.settings import FALSE, flag
from essmc_core.foundation.terminal_status import status

# Seconds of waiting for another process that need no explanation.
_UNTOLD = 1.0


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
        origin_of(path).unlink(missing_ok=True)


def lock_of(path: Path) -> Path:
    """Returns the file whose lock the process holds that fetches ``path``."""
    return path.parent / f".{path.name}.lock"


def partial_of(path: Path) -> Path:
    """Returns the file that holds what has arrived of ``path`` so far."""
    return path.parent / f".{path.name}.part"


def partial_note_of(path: Path) -> Path:
    """Returns the file that tells by which mark the rest of ``path`` can be asked for."""
    return path.parent / f".{path.name}.part.json"


def origin_of(path: Path) -> Path:
    """Returns the file that states where ``path`` was fetched from, and its digest."""
    return path.parent / f".{path.name}.origin.json"


def record_origin(path: Path, uri: str, sha256: str) -> None:
    """Writes down where a file came from; credentials in the address are left out.

    Args:
        path: the fetched file.
        uri: its address.
        sha256: its digest, 64 hexadecimal digits.
    """
    shown = public_address(uri.partition("#")[0])
    # The file counts without its record.
    with suppress(OSError):
        publish(origin_of(path), json.dumps({"uri": shown, "sha256": sha256, "fetched": time.time()}).encode())


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
    """Waits until no other process is fetching ``path``, and removes temporary files of killed processes.

    The system gives up the lock of a process that ends, however it ends. What has arrived of ``path`` stays.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _waiting_for(path):
            # Whoever emptied the cache has deleted the file that this process waited for.
            if not lock_of(path).exists():
                continue
            for leftover in path.parent.glob(".*.part"):
                if leftover != partial_of(path):
                    leftover.unlink(missing_ok=True)
            yield
            return


def _waiting_for(path: Path) -> AbstractContextManager[object]:
    from filelock import FileLock, Timeout

    lock = FileLock(lock_of(path))
    try:
        return lock.acquire(timeout=_UNTOLD)
    except Timeout:
        with status(f"waiting for another process that fetches {path.name}"):
            return lock.acquire()
