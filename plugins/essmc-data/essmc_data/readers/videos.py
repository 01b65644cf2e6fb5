"""Opening a video of a file or URL, with the core's reader."""

from __future__ import annotations

from essmc_core.inputs.video import VideoReader
from essmc_core.inputs.video.opening import open_source
from essmc_data.arguments.rules import check_decoder
from essmc_data.files.opening import locate


def open_video(path: str, decoder: str = "auto", threads: int | None = None) -> VideoReader:
    """Opens a video file or URL.

    Args:
        path: a local path, or a URL that fsspec reads.
        decoder: ``"pyav"``; ``"torchcodec"`` where that is installed; ``"auto"`` is what ``essmc predict`` takes (see
            `essmc_core.inputs.video.open_video`); so is ``"decord"``, which EssentialMC2's configurations name.
        threads: decoding threads; by default 1 in a worker process and as many as there are cores elsewhere.

    Raises:
        UnreadableInput: the file is missing, empty, damaged or not a video.
        MissingDependency: the decoder is not installed.
    """
    return open_source(locate(path), path, threads, "auto" if check_decoder(decoder) == "decord" else decoder)
