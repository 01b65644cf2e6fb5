"""Opening a local or in-memory video with the chosen decoder."""

from __future__ import annotations

import os
from typing import BinaryIO

from essmc_core.errors import MissingDependency
from essmc_core.foundation.settings import video_decoder
from essmc_core.inputs.files import checked_file
from essmc_core.inputs.video.reader import VideoReader


def open_video(path: str | os.PathLike[str], threads: int | None = None, decoder: str = "auto") -> VideoReader:
    """Opens a video file, whose frames can then be read by number; use it as a context manager.

    Args:
        path: a local file of any format that FFmpeg reads, whatever its name looks like.
        threads: decoding threads; by default 1 in a data loader's worker and as many as there are cores elsewhere.
        decoder: ``"pyav"``; or ``"torchcodec"``, which decodes what it decodes to the very pixels of PyAV, and leaves
            the rest to it; ``"auto"`` is the one that ``ESSMC_VIDEO_DECODER`` names, PyAV by default.

    Raises:
        UnreadableInput: the file is missing, empty, no regular file, damaged, or has no video in it.
        MissingDependency: the decoder is not installed.
    """
    return open_source(str(checked_file(path)), os.fspath(path), threads, decoder)


def open_source(source: str | BinaryIO, name: str, threads: int | None = None, decoder: str = "auto") -> VideoReader:
    """Opens a video as `open_video` does.

    Args:
        source: path of a regular file, or a binary file that can be sought in, which is closed with the reader. The
            latter is read with PyAV always.
        name: what messages call it.
        threads: see `open_video`.
        decoder: see `open_video`.

    Raises:
        UnreadableInput: it is damaged, or has no video in it.
        MissingDependency: the decoder is not installed.
    """
    chosen = video_decoder() if decoder == "auto" else decoder
    try:
        from essmc_core.inputs.video.file_reader import FileReader
    except ImportError as error:
        raise MissingDependency("Videos are read with PyAV, which is not installed.", hint="pip install av") from error
    if chosen != "torchcodec" or not isinstance(source, str):
        return FileReader(source, name, threads)
    from essmc_core.inputs.video.torchcodec_reader import TorchCodecReader

    return TorchCodecReader(source, name, threads)
