"""Reading with torchcodec, where it is installed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from essmc_core.errors import MissingDependency
from essmc_data.errors import UnreadableInput
from essmc_data.readers.reader import Frame, VideoReader
from essmc_data.sources import locate

_CHUNK = 16


class TorchCodecReader(VideoReader):
    """Frames of a video file by index, through torchcodec's exact seeking.

    Args:
        path: a local path, or a URL that fsspec reads.
        threads: decoding threads; by default 1 in a worker process and as many as there are cores elsewhere.

    Raises:
        UnreadableInput: the file is missing, empty, damaged, or has no video.
        MissingDependency: torchcodec, or the FFmpeg libraries it loads, is not installed.
    """

    def __init__(self, path: str, threads: int | None = None) -> None:
        try:
            from torchcodec.decoders import VideoDecoder
        except (ImportError, RuntimeError) as error:
            # torchcodec raises RuntimeError when it finds no FFmpeg.
            raise MissingDependency(
                f"torchcodec cannot be loaded: {str(error).splitlines()[0]}",
                hint="pip install torchcodec; FFmpeg is a package of the system",
            ) from error
        self.path = path
        if threads is None:
            threads = 1 if get_worker_info() is not None else (os.cpu_count() or 1)
        source = locate(path)
        try:
            self._decoder = VideoDecoder(source, dimension_order="NHWC", num_ffmpeg_threads=threads)
            self._length = len(self._decoder)
        except (RuntimeError, ValueError) as error:
            raise UnreadableInput(f"{path} is not a video that can be read: {error}") from error
        if not self._length:
            raise UnreadableInput(f"{path} has no frame that can be decoded.")

    def __len__(self) -> int:
        return self._length

    @property
    def fps(self) -> float:
        """Frames per second, on average; 25 where the file does not say."""
        return float(self._decoder.metadata.average_fps or 25.0)

    def iter_frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Yields the frames of strictly rising indices.

        Raises:
            UnreadableInput: a frame cannot be decoded.
        """
        for start in range(0, len(indices), _CHUNK):
            chunk: Tensor = self._frames(list(indices[start : start + _CHUNK]))
            for frame in chunk:
                yield np.asarray(frame)

    def sample_frames(self, indices: Sequence[int] | Tensor) -> Tensor:
        """Returns frames as uint8 (T, H, W, 3), in the order of ``indices``.

        Raises:
            IndexError: a number is out of range.
            UnreadableInput: a frame cannot be decoded.
        """
        order, distinct = self._distinct(indices)
        frames = self._frames(distinct)
        return frames if order is None else frames[order]

    def _frames(self, indices: list[int]) -> Tensor:
        try:
            frames: Tensor = self._decoder.get_frames_at(indices).data
        except (RuntimeError, ValueError) as error:
            raise UnreadableInput(f"{self.path} is damaged: {error}") from error
        return frames.contiguous() if frames.dtype is torch.uint8 else frames.to(torch.uint8)
