"""Reading with PyAV: seeks where that provably leads to the frames of a full decode, else decodes in order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, BinaryIO

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from torch.utils.data import get_worker_info

from essmc_core.errors import UnreadableInput
from essmc_core.inputs.forking import leave_decoders_to_this_process
from essmc_core.inputs.video.claims import refuse_absurd_claims
from essmc_core.inputs.video.clock import HIGHEST_RATE, Clock, clock_of
from essmc_core.inputs.video.decoding import DECODING_ERRORS, BrokenOff, decode_in_order, decoded_table, fingerprint
from essmc_core.inputs.video.frame_table import FrameTable, key_of, recall, remember
from essmc_core.inputs.video.orientation import orientation_of, oriented
from essmc_core.inputs.video.packets import may_be_believed, read_packets, table_of
from essmc_core.inputs.video.reader import Frame, VideoReader
from essmc_core.inputs.video.streams import choose_stream
from essmc_core.inputs.video.truncation import check_whole

_SEEK_SAVES_FRAMES = 8
"""Seeking flushes the decoder, so that it pays only when it jumps over more frames than this."""
_REORDERED_FRAMES = 8
_SKIPS_EXACTLY = frozenset({"h264", "mpeg1video", "mpeg2video"})
"""Codecs whose decoders can leave out frames that no other frame refers to without changing any other."""

_INTRA = 1
"""FFmpeg's number of pictures that refer to no other."""


class _OtherFrames(Exception):
    """What is decoded is not what the table says."""


class FileReader(VideoReader):
    """Frames of a video file by number, equal to those of a full decode in order.

    Args:
        source: path of a regular file, or a binary file that can be sought in, which is closed with the reader.
        name: what messages call it.
        threads: decoding threads; by default 1 in a data loader's worker and as many as there are cores elsewhere.

    Raises:
        UnreadableInput: it is damaged, truncated, or has no video in it.
    """

    def __init__(self, source: str | BinaryIO, name: str, threads: int | None = None) -> None:
        self.path = name
        if threads is None:
            threads = 1 if get_worker_info() is not None else (os.cpu_count() or 1)
        self.threads = threads
        self._source = source
        self._key = key_of(source) if isinstance(source, str) else None
        refuse_absurd_claims(source, name)
        self._open()
        try:
            with self._explained("cannot be read as a video"):
                self._table = recall(self._key) or remember(self._key, self._read_table())
                if self._table.cut_off and self.threads > 1:
                    self._use_one_thread()
            if not len(self):
                raise UnreadableInput(f"{name} has no frame that can be decoded.")
            check_whole(self._container, self._stream, self._table, source, name)
            self._clock = self._read_clock()
        except BaseException:
            self.close()
            raise
        self._reformatter = VideoReformatter()

    def _open(self) -> None:
        """Opens the file at its beginning."""
        leave_decoders_to_this_process()
        source: Any = self._source
        if isinstance(source, str):
            # Without the prefix FFmpeg takes what stands before a colon for a protocol.
            source = f"file:{os.path.abspath(source)}"
        else:
            source.seek(0)
        try:
            self._container: Any = av.open(source)
        except DECODING_ERRORS as error:
            raise UnreadableInput(f"{self.path} is not a video that can be read: {error}.") from error
        try:
            self._stream = choose_stream(self._container, self.path)
        except UnreadableInput:
            self._container.close()
            raise
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = self.threads
        self._moved = False

    def _read_table(self) -> FrameTable:
        if may_be_believed(self._container, self._stream):
            self._moved = True
            table = table_of(read_packets(self._container, self._stream, self.path), self._stream)
            if table is not None:
                return table
        return self._decode_table()

    def _decode_table(self) -> FrameTable:
        self._restart()
        self._moved = True
        table = decoded_table(self._container, self._stream, self.path)
        if table.cut_off and self.threads > 1:
            self._use_one_thread()
            return self._decode_table()
        return table

    def _use_one_thread(self) -> None:
        """Opens the file anew: an error at its end takes frames with it that other threads are decoding."""
        self.threads = 1
        self._release()
        self._open()

    def _read_clock(self) -> Clock:
        stream = self._stream
        rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
        clock = clock_of(self._table, stream.time_base, rates)
        rate = max(clock.fps, 1 / np.median(np.diff(clock.times)) if len(self) > 1 else 0)
        if rate > 1.001 * HIGHEST_RATE:
            raise UnreadableInput(
                f"{self.path} shows {rate:.0f} frames per second, which no video does: its times are wrong.",
                hint="Write it anew at its true rate, for example with ffmpeg -r 25 -i FILE OUT.",
            )
        return clock

    def __len__(self) -> int:
        return self._table.frames

    @property
    def fps(self) -> float:
        """Frames per second on average, by the times of the frames."""
        return self._clock.fps

    @property
    def duration(self) -> float:
        """Seconds from the first frame's beginning to the last one's end."""
        return self._clock.duration

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds (frames,) at which each frame begins to be shown: the first at 0, rising."""
        return self._clock.times

    @property
    def table(self) -> FrameTable:
        """When frames are shown, and where decoding can begin."""
        return self._table

    def iter_frames(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Yields the frames of strictly rising indices, each valid until the next is asked for.

        Raises:
            UnreadableInput: a frame cannot be decoded.
        """
        done = 0
        with self._explained("is damaged"):
            if self._table.seeks:
                for frame in self._sought(indices):
                    yield frame
                    done += 1
                if done < len(indices):
                    self._set_table(replace(self._table, seeks=False))
            if done < len(indices):
                yield from self._in_order(indices[done:])

    def _sought(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Yields frames by seeking, and stops at the first that is not found where it should be."""
        for run in self._runs(indices):
            done, keyframe = 0, self._table.keyframe_of(run[0])
            sought = bool(keyframe) or self._moved
            try:
                for frame in self._decode(run, keyframe, sought=sought):
                    yield self._picture(frame)
                    done += 1
            except DECODING_ERRORS as error:
                if isinstance(error, UnreadableInput) or not sought:
                    raise
            if done < len(run):
                return

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

    def _decode(self, run: list[int], keyframe: int, *, sought: bool) -> Iterator[Any]:
        """Yields PyAV's frames of ``run`` from its first on, and stops at the first that does not come."""
        pts, prints = self._table.pts, self._table.fingerprints
        assert pts is not None
        times = [int(pts[index]) for index in run]
        wanted, due = set(times), 0
        first = int(pts[keyframe])
        if sought:
            # Containers that are sought by times of decoding lead behind a keyframe whose own time is asked for.
            before = keyframe if prints is None else max(0, keyframe - _REORDERED_FRAMES)
            self._container.seek(int(pts[before]), stream=self._stream, backward=True)
        codec = self._stream.codec_context
        # A file that had to be decoded once may be odd in other ways, too.
        skip = prints is None and codec.name in _SKIPS_EXACTLY
        skipping, begun = False, not sought
        self._moved = True
        try:
            for packet in self._container.demux(self._stream):
                skippable = skip and packet.pts is not None and packet.pts not in wanted
                if skippable != skipping:
                    codec.skip_frame, skipping = ("NONREF" if skippable else "DEFAULT"), skippable
                for frame in packet.decode():
                    if not begun:
                        # What comes before the keyframe may refer to what was not decoded.
                        if frame.pts is not None and frame.pts < first:
                            continue
                        if frame.pts != first or not _is_start(frame):
                            return
                        begun = True
                    if frame.pts == times[due]:
                        if prints is not None and fingerprint(frame) != prints[run[due]]:
                            return
                        yield frame
                        due += 1
                        if due == len(times):
                            return
                    elif frame.pts is not None and frame.pts > times[due]:
                        return
        finally:
            codec.skip_frame = "DEFAULT"

    def _in_order(self, indices: Sequence[int]) -> Iterator[Frame]:
        """Yields frames of a decode from the beginning; corrects a table that promises other frames than come."""
        done = 0
        try:
            for frame in self._counted(indices):
                yield self._picture(frame)
                done += 1
        except _OtherFrames:
            promised = len(self)
            self._set_table(self._decode_table())
            if len(self) != promised:
                raise UnreadableInput(
                    f"{self.path} is damaged: {len(self)} of the {promised} frames that it promises can be decoded."
                ) from None
            for frame in self._counted(indices[done:]):
                yield self._picture(frame)

    def _counted(self, indices: Sequence[int]) -> Iterator[Any]:
        table, due = self._table, 0
        self._restart()
        self._moved = True
        for number, frame in enumerate(self._until_broken_off()):
            if table.fingerprints is None and (
                number >= table.frames or (table.pts is not None and frame.pts != table.pts[number])
            ):
                raise _OtherFrames
            if number == indices[due]:
                if table.fingerprints is not None and fingerprint(frame) != table.fingerprints[number]:
                    raise UnreadableInput(f"{self.path} is decoded to other frames each time.")
                yield frame
                due += 1
                if due == len(indices):
                    return
        raise _OtherFrames

    def _until_broken_off(self) -> Iterator[Any]:
        try:
            yield from decode_in_order(self._container, self._stream)
        except BrokenOff:
            return

    def _set_table(self, table: FrameTable) -> None:
        self._table = remember(self._key, table)

    def _restart(self) -> None:
        if self._moved:
            self._release()
            self._open()

    def _picture(self, frame: Any) -> Frame:
        if frame.is_corrupt:
            raise UnreadableInput(f"{self.path} is damaged.")
        plane = self._reformatter.reformat(frame, format="rgb24").planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        picture = rows[:, : plane.width * 3].reshape(plane.height, plane.width, 3)
        return oriented(picture, orientation_of(frame))

    @contextmanager
    def _explained(self, trouble: str) -> Iterator[None]:
        try:
            yield
        except DECODING_ERRORS as error:
            if isinstance(error, UnreadableInput):
                raise
            raise UnreadableInput(f"{self.path} {trouble}: {error}.") from error

    def _release(self) -> None:
        # A decoder is freed with Python's lock held and waits for its threads, which may wait for that lock to log an
        # error (torchvision up to 0.22 turns PyAV's log on). Flushing lets them end first, without the lock.
        self._stream.codec_context.flush_buffers()
        self._container.close()

    def close(self) -> None:
        """Closes the file."""
        self._release()
        if not isinstance(self._source, str):
            self._source.close()


def _is_start(frame: Any) -> bool:
    """Tells whether a decoder took a frame for one that depends on no other, whatever the container marks."""
    return bool(frame.key_frame) and getattr(frame.pict_type, "value", frame.pict_type) == _INTRA
