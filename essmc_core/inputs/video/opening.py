"""Opening a video that lies on this machine."""

from __future__ import annotations

import os

from essmc_core.errors import MissingDependency
from essmc_core.inputs.files import checked_file
from essmc_core.inputs.video.reader import VideoReader


def open_video(path: str | os.PathLike[str], threads: int | None = None) -> VideoReader:
    """Opens a video file, whose frames can then be read by number; use it as a context manager.

    Args:
        path: a local file of any format that FFmpeg reads, whatever its name looks like.
        threads: decoding threads; by default 1 in a data loader's worker and as many as there are cores elsewhere.

    Raises:
        UnreadableInput: the file is missing, empty, no regular file, damaged, or has no video in it.
        MissingDependency: PyAV is not installed.
    """
    file = checked_file(path)
    try:
        from essmc_core.inputs.video.file_reader import FileReader
    except ImportError as error:
        raise MissingDependency("Videos are read with PyAV, which is not installed.", hint="pip install av") from error
    return FileReader(str(file), os.fspath(path), threads)
