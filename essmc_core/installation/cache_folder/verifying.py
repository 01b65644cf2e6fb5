"""Recomputes the digests of cached weights and indexes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from essmc_core.installation.cache_folder.categories import FOLDERS, WEIGHTS
from essmc_core.installation.cache_folder.listing import CachedFile
from essmc_core.weights.digest import compute_sha256

Status = Literal["good", "differs", "unknown"]


@dataclass(frozen=True, slots=True)
class CacheVerdict:
    """What a file's content is like.

    Attributes:
        file: the file.
        status: ``unknown`` if no digest is recorded.
        found: the digest of the content, empty if it cannot be read.
        reason: what is wrong, or why nothing can be said.
    """

    file: CachedFile
    status: Status
    found: str = ""
    reason: str = ""


def verify_files(files: Iterable[CachedFile]) -> Iterator[CacheVerdict]:
    """Reads weights and indexes anew and compares their digests with the recorded ones.

    Weights have the digest that their entry states, which their folder is named by, and the one they came with.
    Other files are records that are made again when they cannot be used.
    """
    for file in files:
        if file.category == WEIGHTS:
            yield _compare(file, file.path.parent.name.removeprefix("sha256-"), file.sha256)
        elif file.category == FOLDERS["indexes"] and file.path.suffix == ".json":
            yield _compare(file, _recorded_for_index(file))


def _compare(file: CachedFile, *stated: str) -> CacheVerdict:
    expected = [digest for digest in stated if digest and not digest.startswith("uri-")]
    try:
        found = compute_sha256(file.path)
    except OSError as error:
        return CacheVerdict(file, "differs", reason=f"it cannot be read: {error.strerror or error}")
    if not expected:
        return CacheVerdict(file, "unknown", found, "no digest was recorded when it came")
    wrong = next((digest for digest in expected if not found.startswith(digest)), None)
    if wrong is None:
        return CacheVerdict(file, "good", found)
    return CacheVerdict(file, "differs", found, f"its sha256 is {found}, not {wrong}")


def _recorded_for_index(file: CachedFile) -> str:
    try:
        return str(json.loads(file.path.with_suffix(".fetched").read_bytes())["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
