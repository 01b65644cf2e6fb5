"""sha256 of weights files: computed once per state of a file, then stored in the cache folder."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path

from essmc_core.errors import WeightsHashMismatch
from essmc_core.weights.cache import publish, weights_cache

_CHUNK = 1 << 20
# Timestamps of file systems are coarse: a recently changed file may change again with the same timestamp.
_SETTLED = 2.0


def sha256_of(path: Path) -> str:
    """Returns the file's digest, 64 hexadecimal digits.

    A file that has not changed since the last call (same size, times and inode) is not read again.
    """
    status = path.stat()
    state = [str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
    note = weights_cache() / "digests" / f"{hashlib.sha256(json.dumps(state).encode()).hexdigest()[:32]}.json"
    try:
        remembered = json.loads(note.read_text(encoding="utf-8"))
        if remembered["state"] == state:
            return str(remembered["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    digest = compute_sha256(path)
    # If the cache cannot be written, the file is merely read again next time.
    with suppress(OSError):
        if time.time() - max(status.st_mtime, status.st_ctime) > _SETTLED:
            publish(note, json.dumps({"state": state, "sha256": digest}).encode())
    return digest


def verify(path: Path, expected: str | None, *, uri: str) -> None:
    """Checks the file's digest, or its first digits, if any are expected.

    Raises:
        WeightsHashMismatch: the digest differs.
    """
    if expected is None:
        return
    actual = sha256_of(path)
    if not actual.startswith(expected):
        raise WeightsHashMismatch(
            f"The weights {uri} have sha256 {actual}, expected {expected}.",
            hint=f"It came to {path}. If it was changed on purpose, state its new sha256; otherwise do not use it.",
        )


def compute_sha256(path: Path) -> str:
    """Returns the file's digest, read anew."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
