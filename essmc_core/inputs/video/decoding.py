"""Decoding a whole stream in order, which is the truth about a file, and the frame table that it gives."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator
from typing import Any

import av
import numpy as np

from essmc_core.inputs.video.frame_table import FrameTable
from essmc_core.inputs.video.packets import is_paletted, refuse_endless

_NUMBERS_PACKETS = frozenset({"avi", "asf"})
"""Containers that know only the order of packets."""
DECODING_ERRORS = (av.error.FFmpegError, OSError, ValueError)


class BrokenOff(Exception):
    """The last packet of a stream cannot be decoded: the file ends within it."""


def decode_in_order(container: Any, stream: Any, slots: array[int] | None = None) -> Iterator[Any]:
    """Yields PyAV's frames of a newly opened container.

    What was cut off before the first frame, as in a broadcast, is passed over.

    Args:
        container: PyAV's.
        stream: its video stream.
        slots: takes the times of decoding of all packets that have one.

    Raises:
        FFmpegError: a packet between the first frame and the last packet cannot be decoded.
        BrokenOff: the last one cannot; all other frames have come.
    """
    begun, failed = False, None
    for packet in container.demux(stream):
        if failed is not None and packet.size:
            raise failed
        if slots is not None and packet.size and packet.dts is not None:
            slots.append(packet.dts)
        try:
            frames = packet.decode()
        except av.error.InvalidDataError as error:
            failed = error if begun else None
            continue
        for frame in frames:
            begun = True
            yield frame
    if failed is not None:
        raise BrokenOff from failed


def fingerprint(frame: Any) -> int:
    """Returns a checksum of a frame's first plane."""
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8)[: plane.height * plane.line_size].reshape(plane.height, -1)
    return zlib.crc32(rows[:, : plane.width].tobytes())


def decoded_table(container: Any, stream: Any, path: str) -> FrameTable:
    """Decodes a newly opened container once, keeping no picture, which leaves it at its end.

    Raises:
        FFmpegError: it cannot be decoded.
        UnreadableInput: there are more frames than any video has.
    """
    times, durations, keys, prints = array("q"), array("q"), array("q"), array("L")
    timed, damaged_from, cut_off, slots = True, None, False, array("q")
    try:
        for number, frame in enumerate(decode_in_order(container, stream, slots)):
            refuse_endless(number, path)
            timed = timed and frame.pts is not None
            times.append(frame.pts or 0)
            durations.append(getattr(frame, "duration", 0) or 0)
            if frame.key_frame:
                keys.append(number)
            prints.append(fingerprint(frame))
            if not frame.is_corrupt:
                damaged_from = None
            elif damaged_from is None:
                damaged_from = number
    except BrokenOff:
        cut_off = True
    count = len(times) if damaged_from is None else damaged_from
    shown, lasting = np.array(times[:count], dtype=np.int64), np.array(durations[:count], dtype=np.int64)
    rising = timed and bool((np.diff(shown) > 0).all())
    pts = np.sort(shown) if timed else None
    if stream.codec_context.has_b_frames and _NUMBERS_PACKETS.intersection(container.format.name.split(",")):
        # Times follow the order of decoding, so that they belong to other frames; as a set they are right.
        rising, pts = False, np.sort(np.array(slots, dtype=np.int64)) if len(slots) == count else None
    if pts is not None and (np.diff(pts) <= 0).any():
        pts = None
    found = [number for number in keys if number < count]
    seeks = rising and found[:1] == [0] and not is_paletted(stream.codec_context)
    begin, end = (int(pts[0]), int((pts + lasting).max())) if pts is not None and count else (None, None)
    return FrameTable(
        frames=count,
        pts=pts,
        durations=lasting,
        keyframes=np.array(found if seeks else [0], dtype=np.int64),
        begin=begin,
        end=end,
        fingerprints=np.array(prints[:count], dtype=np.uint32),
        seeks=seeks,
        cut_off=cut_off or damaged_from is not None,
    )
