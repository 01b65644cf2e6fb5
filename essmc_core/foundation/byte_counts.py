"""Numbers of bytes as people read them."""

from __future__ import annotations


def in_bytes(count: float) -> str:
    """Returns a number of bytes with its unit: ``512 bytes``, ``1.5 MiB``."""
    if count < 1024:
        return f"{count:,.0f} bytes"
    for unit in ("KiB", "MiB"):
        count /= 1024
        if count < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:,.1f} GiB"
