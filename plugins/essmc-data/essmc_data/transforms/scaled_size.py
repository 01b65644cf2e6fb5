"""A limit on how large pictures and frames become when they are scaled, which thin ones would do without end."""

from __future__ import annotations

from essmc_data.errors import UnreadableInput
from essmc_data.item import Item

MAX_SCALED_PIXELS = 1 << 26
"""Pixels that a picture, or a frame of a video, may have after its shorter side was scaled."""


def check_scaled_size(height: int, width: int, shorter: int, item: Item) -> None:
    """Checks what scaling the shorter side to a length comes to.

    Args:
        height: of the picture.
        width: of the picture.
        shorter: the length.
        item: whose ``meta`` names the file.

    Raises:
        UnreadableInput: it has more than `MAX_SCALED_PIXELS` pixels; a dataset's ``on_error`` decides about it.
    """
    longer = shorter * max(height, width) // max(1, min(height, width))
    if shorter * longer <= MAX_SCALED_PIXELS:
        return
    meta = item.get("meta") or {}
    name = meta.get("img_path") or meta.get("video_path") or "A picture"
    raise UnreadableInput(
        f"{name} is {width}x{height} pixels large: with a shorter side of {shorter} it would have {shorter}x{longer}.",
        hint=f"The limit is {MAX_SCALED_PIXELS:,} pixels; cut it to another shape first.",
    )
