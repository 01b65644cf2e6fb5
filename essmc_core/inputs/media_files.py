"""Which files of a folder are pictures or videos: by suffix, without what systems leave beside one's own files."""

from __future__ import annotations

import os
from pathlib import Path

from essmc_core.errors import InputError
from essmc_core.foundation.names import natural_key
from essmc_core.inputs.spec import Modality

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm")
VIDEO_SUFFIXES = (
    ".mp4", ".avi", ".mkv", ".webm", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".ts", ".3gp",
)  # fmt: skip

LEFTOVERS = frozenset({
    "__macosx", "__pycache__", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r", "@eadir",
    "#recycle", "@recycle", "@recently-snapshot", "$recycle.bin", "recycler", "system volume information",
    "lost+found", "network trash folder", "temporary items",
})  # fmt: skip
"""Names, in lower case, of what Finder, Explorer, file servers and Python leave behind."""


def is_hidden(path: str) -> bool:
    """Tells whether a part of a path begins with a dot or is one of `LEFTOVERS`.

    Args:
        path: relative to the folder of the data, with ``/`` between the parts; that folder may have any name.
    """
    parts = (part for part in path.split("/") if part not in ("", ".", ".."))
    return any(part.startswith(".") or part.lower() in LEFTOVERS for part in parts)


def media_files(folder: Path, modality: Modality) -> list[Path]:
    """Returns the pictures or videos below a folder, in natural order of their paths.

    Links to files are followed, links to folders are not.

    Args:
        folder: an existing folder.
        modality: what to look for.

    Raises:
        InputError: there is none, or the folder cannot be listed.
    """
    suffixes = IMAGE_SUFFIXES if modality == "image" else VIDEO_SUFFIXES
    found: list[str] = []

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename} cannot be listed: {error.strerror}.") from error

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not is_hidden(name)]
        below = os.path.relpath(parent, folder)
        found.extend(
            os.path.normpath(os.path.join(below, name))
            for name in names
            if name.lower().endswith(suffixes) and not is_hidden(name)
        )
    if not found:
        kind = "pictures" if modality == "image" else "videos"
        raise InputError(f"{folder} has no {kind} in it.", hint=f"They are known by {', '.join(suffixes)}.")
    return [folder / name for name in sorted(found, key=natural_key)]
