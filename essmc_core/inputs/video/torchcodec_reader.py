"""Reading with torchcodec, where it shows the very frames that the reader with PyAV shows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from essmc_core.errors import MissingDependency
from essmc_core.inputs.video.file_reader import FileReader
from essmc_core.inputs.video.reader import Frame, VideoReader

_CHUNK = 16


class TorchCodecReader(VideoReader):
    """Frames of a video file by number, through torchcodec where it gives what PyAV gives, bit for bit.

    The frames' number, times and orientation are those of `FileReader`. It also reads the files that torchcodec
    counts, times, turns or colours otherwise (another version of FFmpeg may round colours in another way), and those
    whose container does not say when frames are shown.

    Args:
        path: of a regular file.
        name: what messages call it.
        threads: decoding threads; by default 1 in a data loader's worker and as many as there are cores elsewhere.

    Raises:
        UnreadableInput: it is damaged, truncated, or has no video in it.
        MissingDependency: torchcodec, or the FFmpeg libraries that it loads, is not installed.
    """

    def __init__(self, path: str, name: str, threads: int | None = None) -> None:
        try:
            from torchcodec.decoders import VideoDecoder
        except (ImportError, RuntimeError) as error:
            # torchcodec raises RuntimeError when it finds no FFmpeg.
            raise MissingDependency(
                f"torchcodec cannot be loaded: {str(error).splitlines()[0]}",
                hint="pip install torchcodec; FFmpeg is a package of the system",
            ) from error
        self.path = name
        self._exact = FileReader(path, name, threads)
        self._decoder: Any = None
        if self._exact.table.fingerprints is not None:
            return
        try:
            # Of a relative path, FFmpeg takes what stands before a colon for a protocol.
            decoder = VideoDecoder(
                os.path.abspath(path), dimension_order="NHWC", num_ffmpeg_threads=self._exact.threads
            )
            if len(decoder) == len(self._exact) and self._decodes_alike(decoder):
                self._decoder = decoder
        except (RuntimeError, ValueError):
            return

    def _decodes_alike(self, decoder: Any) -> bool:
        """Tells whether the keyframe in the middle has the same pixels; one of a single colour is no evidence."""
        probe = self._exact.table.keyframe_of(len(self) // 2)
        ours, theirs = self._exact.sample_frames([probe]), decoder.get_frames_at([probe]).data
        return torch.equal(ours, theirs) and bool((ours != ours[:, :1, :1]).any())

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
            if self._decoder is None:
                # In one pass: from chunk to chunk that reader would begin anew, at a keyframe or even the first frame.
                yield from self._exact.iter_frames(indices[start:])
                return
            for frame in self._frames(list(indices[start : start + _CHUNK])):
                yield np.asarray(frame)

    def sample_frames(self, indices: Sequence[int] | Tensor) -> Tensor:
        """Returns frames as uint8 (T, H, W, 3), in the order of ``indices``.

        Raises:
            NoSuchFrame: a number is out of range.
            UnreadableInput: a frame cannot be decoded.
        """
        order, distinct = self._distinct(indices)
        frames = self._frames(distinct)
        return frames if order is None else frames[order]

    def _frames(self, indices: list[int]) -> Tensor:
        if self._decoder is not None and indices:
            # The first frame gives the origin of the decoder's clock.
            wanted = indices if indices[0] == 0 else [0, *indices]
            try:
                batch = self._decoder.get_frames_at(wanted)
            except (RuntimeError, ValueError):
                batch = None
            if batch is not None and self._on_time(batch.pts_seconds, wanted):
                frames: Tensor = batch.data[len(wanted) - len(indices) :]
                return frames.contiguous()
            self._decoder = None
        return self._exact.sample_frames(indices)

    def _on_time(self, seconds: Tensor, indices: list[int]) -> bool:
        shown = seconds.double().numpy()
        return bool((np.abs(shown - shown[0] - self.times[indices]) < self.duration / len(self) / 4).all())

    def close(self) -> None:
        """Closes the file."""
        self._decoder = None
        self._exact.close()
