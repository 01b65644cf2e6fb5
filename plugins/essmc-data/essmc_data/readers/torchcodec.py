"""Reading with torchcodec, where it is installed and shows the frames that a full decode in order does."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import get_worker_info

from essmc_core.errors import MissingDependency
from essmc_data.readers.pyav import PyAVReader
from essmc_data.readers.reader import Frame, VideoReader
from essmc_data.sources import locate

_CHUNK = 16
_COLOUR_TOLERANCE = 6
"""Largest mean difference in 8-bit values between two FFmpegs' conversions of YUV to RGB."""


class TorchCodecReader(VideoReader):
    """Frames of a video file by index, through torchcodec where that gives what PyAV gives.

    The frames' number, times and orientation are the core's. Files that torchcodec counts, times or turns otherwise,
    and those whose container does not say when frames are shown, are read with PyAV.

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
        self._exact = PyAVReader(path, threads)
        self._decoder: Any = None
        if self._exact.table.fingerprints is not None:
            return
        try:
            decoder = VideoDecoder(locate(path), dimension_order="NHWC", num_ffmpeg_threads=threads)
            if len(decoder) == len(self._exact) and self._looks_alike(decoder):
                self._decoder = decoder
        except (RuntimeError, ValueError):
            return

    def _looks_alike(self, decoder: Any) -> bool:
        """Tells whether the first frame is the same but for the rounding of colours."""
        ours, theirs = self._exact.sample_frames([0]), decoder.get_frames_at([0]).data
        return ours.shape == theirs.shape and bool((ours.float() - theirs.float()).abs().mean() < _COLOUR_TOLERANCE)

    def __len__(self) -> int:
        return len(self._exact)

    @property
    def fps(self) -> float:
        """Frames per second, on average."""
        return self._exact.fps

    @property
    def duration(self) -> float:
        """Seconds from the first frame's beginning to the last one's end."""
        return self._exact.duration

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds (frames,) at which each frame begins to be shown."""
        return self._exact.times

    def iter_frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Yields the frames of strictly rising indices.

        Raises:
            UnreadableInput: a frame cannot be decoded.
        """
        for start in range(0, len(indices), _CHUNK):
            for frame in self._frames(list(indices[start : start + _CHUNK])):
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
        if self._decoder is not None and indices:
            # The first frame tells where the decoder's clock begins.
            wanted = indices if indices[0] == 0 else [0, *indices]
            try:
                batch = self._decoder.get_frames_at(wanted)
            except (RuntimeError, ValueError):
                batch = None
            if batch is not None and self._on_time(batch.pts_seconds, wanted):
                frames: Tensor = batch.data[len(wanted) - len(indices) :]
                return frames.contiguous() if frames.dtype is torch.uint8 else frames.to(torch.uint8)
            self._decoder = None
        return self._exact.sample_frames(indices)

    def _on_time(self, seconds: Tensor, indices: list[int]) -> bool:
        shown = seconds.double().numpy()
        return bool((np.abs(shown - shown[0] - self.times[indices]) < self.duration / len(self) / 4).all())

    def close(self) -> None:
        """Closes the file."""
        self._exact.close()
