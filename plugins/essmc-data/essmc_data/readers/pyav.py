"""Reading with PyAV: the core's reader, for URLs too."""

from __future__ import annotations

from essmc_core.inputs.video.file_reader import FileReader
from essmc_data.sources import locate


class PyAVReader(FileReader):
    """Frames of a video file by index, equal to those of a full decode.

    Args:
        path: a local path, or a URL that fsspec reads.
        threads: decoding threads; by default 1 in a worker process and as many as there are cores elsewhere.

    Raises:
        UnreadableInput: the file is missing, empty, damaged, or has no video.
    """

    def __init__(self, path: str, threads: int | None = None) -> None:
        super().__init__(locate(path), path, threads)
