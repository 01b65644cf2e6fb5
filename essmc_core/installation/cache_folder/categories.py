"""The kinds of files in the cache folder, and which one a path is of."""

from __future__ import annotations

from pathlib import PurePath

WEIGHTS, PARTIAL, LOCKS, OTHER = "weights", "partial", "locks", "other"
FOLDERS = {
    "registered": "discovery snapshots",
    "discovery": "packs in trouble",
    "indexes": "indexes of packs",
    "zoo": "facts of entries",
    "engines": "choices of engines",
    "checked": "compared fingerprints",
}
"""Folders directly under the cache folder, each with the category of its files."""
LIBRARIES = {"timm": "timm scans", "torchvision": "torchvision scans"}
"""Folders of what was read from the sources of other libraries."""
DECISIONS = {"trusted-code.json": "trusted code"}
"""Files that hold what the user decided, which nothing can make again."""
DIGESTS = "digests"
CATEGORIES = (WEIGHTS, PARTIAL, LOCKS, DIGESTS, *FOLDERS.values(), *LIBRARIES.values(), *DECISIONS.values(), OTHER)
PERMANENT = (*DECISIONS.values(), OTHER)
"""Categories that are never pruned."""
_IDENTITIES = ("sha256-", "uri-")


def category_of(path: PurePath) -> str:
    """Returns the category of a file.

    Args:
        path: relative to the cache folder.
    """
    top, name = path.parts[0], path.name
    if len(path.parts) == 1:
        return DECISIONS.get(name, OTHER)
    if name.startswith(".") and name.endswith((".part", ".part.json", ".tmp")):
        return PARTIAL if top in (*FOLDERS, *LIBRARIES, WEIGHTS) else OTHER
    if top == WEIGHTS and len(path.parts) == 3:
        return _of_weights(path.parts[1], name)
    if len(path.parts) == 2:
        return FOLDERS.get(top) or LIBRARIES.get(top) or OTHER
    return OTHER


def _of_weights(folder: str, name: str) -> str:
    if folder == DIGESTS and name.endswith(".json"):
        return DIGESTS
    if not folder.startswith(_IDENTITIES):
        return OTHER
    if not name.startswith("."):
        return WEIGHTS
    if name.endswith(".lock"):
        return LOCKS
    return DIGESTS if name.endswith(".origin.json") else OTHER
