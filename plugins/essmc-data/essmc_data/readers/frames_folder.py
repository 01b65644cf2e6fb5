"""Reading a folder of pictures, one a frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from essmc_core.foundation.names import natural_key
from essmc_core.inputs.video import VideoReader
from essmc_core.inputs.video.reader import Frame
from essmc_data.errors import DatasetNotFound, UnreadableInput
from essmc_data.files.listing import list_files
from essmc_data.files.locations import join
from essmc_data.readers.pictures import read_picture


class FramesReader(VideoReader):
    """Frames that were extracted to pictures; only those that are asked for are read.

    Args:
        frame_dir: a folder, local or of a URL; its pictures are frames in natural order (``2.jpg`` before ``10.jpg``).
        extract_fps: frames per second at which they were extracted.
        suffix: of the pictures' names.

    Raises:
        UnreadableInput: there is no such folder, or no picture in it.
    """

    def __init__(self, frame_dir: str, extract_fps: float, suffix: str = ".jpg") -> None:
        self.path = frame_dir
        self._fps = float(extract_fps)
        try:
            names = list_files(frame_dir, (suffix.lower(),))
        except DatasetNotFound as error:
            raise UnreadableInput(error.message) from error
        self._names = sorted((name for name in names if "/" not in name), key=natural_key)
        if not self._names:
            raise UnreadableInput(f"{frame_dir} has no picture *{suffix} in it.")

    def __len__(self) -> int:
        return len(self._names)

    @property
    def fps(self) -> float:
        """Frames per second."""
        return self._fps

    def iter_frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Yields the frames of the given indices.

        Raises:
            UnreadableInput: a picture is missing or damaged.
        """
        for index in indices:
            yield np.asarray(read_picture(join(self.path, self._names[index])))
