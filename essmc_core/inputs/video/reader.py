"""The protocol of all readers of videos: how many frames, when they are shown, and frames by number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from essmc_core.errors import UnreadableInput

Frame = NDArray[np.uint8]
"""One RGB picture (H, W, 3)."""


class NoSuchFrame(UnreadableInput, IndexError):
    """A frame was asked for that the video does not have."""


class VideoReader(ABC):
    """Frames of one video, numbered from 0 in the order of display.

    Readers hold files open and are not pickled; make one where it is used, as a context manager.

    Attributes:
        path: what was opened, for messages.
    """

    path: str

    @abstractmethod
    def __len__(self) -> int:
        """Returns the number of frames."""

    @property
    @abstractmethod
    def fps(self) -> float:
        """Frames per second, on average."""

    @property
    def duration(self) -> float:
        """Seconds from the first frame's beginning to the last one's end."""
        return len(self) / self.fps

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds (frames,) at which each frame begins to be shown: the first at 0, rising."""
        return np.arange(len(self), dtype=np.float64) / self.fps

    @abstractmethod
    def iter_frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Yields the frames of strictly rising indices, each valid until the next is asked for.

        Raises:
            UnreadableInput: a frame cannot be decoded.
        """

    def sample_frames(self, indices: Sequence[int] | Tensor) -> Tensor:
        """Returns frames as uint8 (T, H, W, 3), in the order of ``indices``; one that occurs twice is decoded once.

        Args:
            indices: frame numbers in [0, len), in any order.

        Raises:
            NoSuchFrame: a number is out of range; it is an IndexError, too.
            UnreadableInput: a frame cannot be decoded.
        """
        order, distinct = self._distinct(indices)
        frames: Tensor | None = None
        for position, frame in enumerate(self.iter_frames(distinct)):
            if frames is None:
                frames = torch.empty((len(distinct), *frame.shape), dtype=torch.uint8)
            if frames.shape[1:] != frame.shape:
                sizes = f"{tuple(frames.shape[1:3])} to {frame.shape[:2]}"
                raise UnreadableInput(f"{self.path} changes its size from {sizes}.")
            frames.numpy()[position] = frame
        if frames is None:
            raise UnreadableInput(f"No frame of {self.path} was asked for.")
        return frames if order is None else frames[order]

    def _distinct(self, indices: Sequence[int] | Tensor) -> tuple[Tensor | None, list[int]]:
        """Returns the distinct indices, rising, and where each index finds its frame; None where they are the same."""
        wanted = [int(index) for index in indices]
        if wanted and not 0 <= min(wanted) <= max(wanted) < len(self):
            raise NoSuchFrame(
                f"Frames {min(wanted)} to {max(wanted)} of {self.path} were asked for, which has {len(self)}."
            )
        distinct = sorted(set(wanted))
        if wanted == distinct:
            return None, distinct
        places = {index: place for place, index in enumerate(distinct)}
        return torch.tensor([places[index] for index in wanted]), distinct

    def close(self) -> None:  # noqa: B027 - not every reader holds a file open
        """Closes the file."""

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
