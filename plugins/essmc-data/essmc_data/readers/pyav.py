"""Reading with PyAV: seeks to keyframes, decodes what wanted frames depend on, converts wanted frames only."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from torch.utils.data import get_worker_info

from essmc_core.inputs.forking import leave_decoders_to_this_process
from essmc_data.errors import UnreadableInput
from essmc_data.readers.frame_table import FrameTable, read_table
from essmc_data.readers.reader import Frame, VideoReader
from essmc_data.sources import locate

_SEEK_SAVES_FRAMES = 8
"""Seeking flushes the decoder, so that it pays only when it jumps over more frames than this."""
_SKIPS_EXACTLY = frozenset({"h264", "mpeg1video", "mpeg2video"})
"""Codecs whose decoders can leave out frames that no other frame refers to without changing any other."""
_LOST_PART, _LOST_SECONDS = 0.1, 0.25
"""A file is truncated when it lacks more than both of what it announces; announcements are not exact."""
_DECODING_ERRORS = (av.error.FFmpegError, OSError, ValueError)


class PyAVReader(VideoReader):
    """Frames of a video file by index, equal to those of a full decode.

    Args:
        path: a local path, or a URL that fsspec reads.
        threads: decoding threads; by default 1 in a worker process and as many as there are cores elsewhere.

    Raises:
        UnreadableInput: the file is missing, empty, damaged, or has no video.
    """

    def __init__(self, path: str, threads: int | None = None) -> None:
        self.path = path
        if threads is None:
            threads = 1 if get_worker_info() is not None else (os.cpu_count() or 1)
        self._threads = threads
        self._source = locate(path)
        self._open()
        try:
            known = self._source if isinstance(self._source, str) else None
            self._table, self._moved = read_table(self._container, self._stream, known)
        except _DECODING_ERRORS as error:
            self._container.close()
            raise UnreadableInput(f"{path} cannot be read as a video: {error}.") from error
        # Frames are counted from the beginning where the container has no times, or seeking in it went astray.
        self._counts = self._table.pts is None
        if not len(self):
            self._container.close()
            raise UnreadableInput(f"{path} has no frame that can be decoded.")
        self._refuse_truncated()
        self._reformatter = VideoReformatter()

    def _open(self) -> None:
        """Opens the file at its beginning."""
        leave_decoders_to_this_process()
        if not isinstance(self._source, str):
            self._source.seek(0)
        try:
            self._container: Any = av.open(self._source)
        except _DECODING_ERRORS as error:
            raise UnreadableInput(f"{self.path} is not a video that can be read: {error}.") from error
        try:
            self._stream = self._video_stream()
        except UnreadableInput:
            self._container.close()
            raise
        self._moved = False

    def _video_stream(self) -> Any:
        if not self._container.streams.video:
            raise UnreadableInput(f"{self.path} has no video in it.")
        name = self._container.format.name
        # FFmpeg reads a picture as a video of one frame.
        if name == "image2" or name.endswith("_pipe"):
            raise UnreadableInput(f"{self.path} is an image, not a video.")
        stream = self._container.streams.video[0]
        if stream.codec_context is None:
            raise UnreadableInput(f"FFmpeg has no decoder for the video in {self.path}.")
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = self._threads
        return stream

    def _refuse_truncated(self) -> None:
        # What was cut off a file that can be read in part would change its class without a word.
        announced, extent = self._announced_seconds(), self._table.extent
        if announced is None or extent is None:
            return
        found = float(extent * self._stream.time_base)
        if announced - found > max(_LOST_PART * announced, _LOST_SECONDS):
            self._container.close()
            raise UnreadableInput(f"{self.path} is truncated: it ends after {found:.1f} of {announced:.1f} seconds.")

    def _announced_seconds(self) -> float | None:
        """Returns how long the video is by what the file says at its beginning."""
        stream, container = self._stream, self._container
        if stream.duration is not None:
            return float(stream.duration * stream.time_base)
        if container.duration is None or len(container.streams) > 1:
            # The sound may be longer.
            return None
        return float(container.duration / av.time_base)

    def __len__(self) -> int:
        return self._table.frames

    @property
    def fps(self) -> float:
        """Frames per second: the stream's average, else what it announces, else 25."""
        rate = self._stream.average_rate or self._stream.guessed_rate or self._stream.base_rate
        return float(rate) if rate else 25.0

    @property
    def table(self) -> FrameTable:
        """When frames are shown, and where decoding can begin."""
        return self._table

    def iter_frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Yields the frames of strictly rising indices, each valid until the next is asked for.

        Raises:
            UnreadableInput: a frame cannot be decoded.
        """
        try:
            done = 0
            for frame in self._sought(indices):
                yield frame
                done += 1
            if done < len(indices):
                self._counts = True
                yield from self._counted(indices[done:])
        except _DECODING_ERRORS as error:
            if isinstance(error, UnreadableInput):
                raise
            raise UnreadableInput(f"{self.path} is damaged: {error}.") from error

    def _runs(self, indices: Sequence[int]) -> Iterator[list[int]]:
        """Splits indices where seeking to the next keyframe is cheaper than decoding on."""
        run: list[int] = []
        for index in indices:
            if run and self._table.keyframe_of(index) - run[-1] > _SEEK_SAVES_FRAMES:
                yield run
                run = []
            run.append(index)
        if run:
            yield run

    def _sought(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Yields frames by seeking, and stops at the first that is not found where it should be."""
        if self._counts:
            return
        skip = self._stream.codec_context.name in _SKIPS_EXACTLY
        for run in self._runs(indices):
            done = 0
            for frame in self._decode(run, self._table.keyframe_of(run[0]), skip=skip):
                yield frame
                done += 1
            if done < len(run):
                return

    def _decode(self, run: list[int], keyframe: int, *, skip: bool) -> Iterator[Frame]:
        """Yields the frames of ``run`` from its first on, and stops at the first that does not come."""
        pts = self._table.pts
        assert pts is not None
        times = [int(pts[index]) for index in run]
        wanted, due = set(times), 0
        if keyframe or self._moved:
            self._seek(int(pts[keyframe]))
        codec = self._stream.codec_context
        skipping = False
        try:
            for packet in self._container.demux(self._stream):
                skippable = skip and packet.pts is not None and packet.pts not in wanted
                if skippable != skipping:
                    codec.skip_frame, skipping = ("NONREF" if skippable else "DEFAULT"), skippable
                for frame in packet.decode():
                    if frame.pts == times[due]:
                        yield self._picture(frame)
                        due += 1
                        if due == len(times):
                            return
                    elif frame.pts is not None and frame.pts > times[due]:
                        return
        finally:
            codec.skip_frame = "DEFAULT"
            self._moved = True

    def _counted(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Yields frames of a stream without times, counting from its beginning."""
        remaining, due = list(indices), 0
        self._restart()
        self._moved = True
        for number, frame in enumerate(self._container.decode(self._stream)):
            if number == remaining[due]:
                yield self._picture(frame)
                due += 1
                if due == len(remaining):
                    return
        raise UnreadableInput(f"Frame {remaining[due]} of {self.path} cannot be decoded.")

    def _seek(self, pts: int) -> None:
        try:
            self._container.seek(pts, stream=self._stream, backward=True)
        except _DECODING_ERRORS:
            # Some containers cannot seek; decoding from the beginning leads there, too.
            self._restart()

    def _restart(self) -> None:
        if self._moved:
            self._container.close()
            self._open()

    def _picture(self, frame: Any) -> Frame:
        if frame.is_corrupt:
            raise UnreadableInput(f"{self.path} is damaged.")
        plane = self._reformatter.reformat(frame, format="rgb24").planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        picture = rows[:, : plane.width * 3].reshape(plane.height, plane.width, 3)
        # Counter-clockwise degrees by which a player turns the picture; phones film sideways. Old PyAV does not tell.
        turn = getattr(frame, "rotation", 0)
        return np.rot90(picture, turn // 90) if turn else picture

    def close(self) -> None:
        """Closes the file."""
        self._container.close()
