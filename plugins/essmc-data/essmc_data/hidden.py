"""Files that systems and tools put beside one's own: they are no items, and their folders no classes."""

from __future__ import annotations

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
