"""Opening a video with the decoder of one's choice."""

from __future__ import annotations

from essmc_data.argument_rules import DECODERS as DECODERS
from essmc_data.argument_rules import check_decoder
from essmc_data.readers.reader import VideoReader


def open_video(path: str, decoder: str = "auto", threads: int | None = None) -> VideoReader:
    """Opens a video file or URL.

    Args:
        path: a local path, or a URL that fsspec reads.
        decoder: ``"pyav"``; ``"torchcodec"`` where that is installed; ``"auto"`` is PyAV; so is ``"decord"``, which
            EssentialMC2's configurations name.
        threads: decoding threads; by default 1 in a worker process and as many as there are cores elsewhere.

    Raises:
        UnreadableInput: the file is missing, empty, damaged or not a video.
        MissingDependency: the decoder is not installed.
    """
    if check_decoder(decoder) == "torchcodec":
        from essmc_data.readers.torchcodec import TorchCodecReader

        return TorchCodecReader(path, threads)
    from essmc_data.readers.pyav import PyAVReader

    return PyAVReader(path, threads)
