"""How many frames in a row are one clip, shared by all layers that mix frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class ClipLength:
    """Frames per clip. The layers of an image backbone see one long batch of frames and read from here where to cut.

    Args:
        frames: number that holds outside of `during`, e.g. when gradient checkpointing runs a layer again.
    """

    def __init__(self, frames: int = 1) -> None:
        self.frames = frames

    @contextmanager
    def during(self, frames: int) -> Iterator[None]:
        """Sets the number for a block of code."""
        before, self.frames = self.frames, frames
        try:
            yield
        finally:
            self.frames = before
