"""The frame table as a container's packets promise it, without decoding; and which containers can be believed."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from essmc_core.errors import UnreadableInput
from essmc_core.inputs.video.frame_table import FrameTable
from essmc_core.inputs.video.idr import begins_with_idr
from essmc_core.inputs.video.shown import shows_a_frame

_EXACT_CONTAINERS = frozenset({"mov", "mp4", "matroska", "webm"})
"""Containers that store when each frame is shown; others store when it is decoded, or leave times out."""
_INTRA_CODECS = frozenset({"mjpeg", "ffv1", "prores", "dnxhd", "png", "huffyuv", "ffvhuff", "utvideo"})
_ONE_FRAME_A_PACKET = _INTRA_CODECS | {"h264", "hevc", "av1", "libdav1d", "vp8", "libvpx", "vp9", "libvpx-vp9"}
_CHANGING_SIDE_DATA = ("palette", "new_extradata", "param_change")
_MOST_FRAMES = 1 << 24


@dataclass(frozen=True, slots=True)
class Packets:
    """What was read of a stream's packets, in their order.

    Attributes:
        pts: (packets,) times at which they are shown.
        durations: (packets,) 0 where unknown.
        keys: (packets,) whether they are marked as keyframes.
        plain: whether all have times, and none is hidden, damaged, or changes how later ones are decoded.
        cut_off: whether the file ends within the last packet, which is left out.
    """

    pts: NDArray[np.int64]
    durations: NDArray[np.int64]
    keys: NDArray[np.bool_]
    plain: bool
    cut_off: bool


def may_be_believed(container: Any, stream: Any) -> bool:
    """Tells whether packets of such a container and codec can be a table of frames at all."""
    codec = stream.codec_context
    formats = set(container.format.name.split(","))
    if not formats & _EXACT_CONTAINERS or codec.name not in _ONE_FRAME_A_PACKET:
        return False
    # A field may be a packet of its own.
    interlaced = str(getattr(codec, "field_order", "progressive")).lower()
    return interlaced.rpartition(".")[2] in ("progressive", "unknown", "0", "1") and not is_paletted(codec)


def is_paletted(codec: Any) -> bool:
    """Tells whether frames need a palette, which comes with packets and is lost when they are read twice."""
    return codec.pix_fmt in (None, "pal8")


def read_packets(container: Any, stream: Any, path: str) -> Packets:
    """Reads all packets of a newly opened container, which leaves it at its end.

    Raises:
        UnreadableInput: there are more than any video has.
    """
    codec = stream.codec_context.name
    pts, durations, keys, plain, cut_off = array("q"), array("q"), array("b"), True, False
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        if packet.pts is None or packet.is_discard or cut_off or _changes_decoding(packet):
            plain = False
        if packet.is_corrupt:
            cut_off = True
            continue
        if codec == "h264" and not pts and not begins_with_idr(bytes(packet)):
            plain = False
        if not shows_a_frame(codec, packet):
            continue
        pts.append(packet.pts or 0)
        durations.append(packet.duration or 0)
        keys.append(packet.is_keyframe)
        refuse_endless(len(pts), path)
    times, lasting = np.array(pts, dtype=np.int64), np.array(durations, dtype=np.int64)
    return Packets(times, lasting, np.array(keys, dtype=np.bool_), plain, cut_off)


def refuse_endless(frames: int, path: str) -> None:
    """Bounds what a table can take up."""
    if frames > _MOST_FRAMES:
        raise UnreadableInput(f"{path} has more than {_MOST_FRAMES:,} frames.", hint="Cut it into several files.")


def table_of(packets: Packets, stream: Any) -> FrameTable | None:
    """Returns the table, None where the packets give a reason not to believe them."""
    if not packets.plain or not len(packets.pts) or not packets.keys[0]:
        return None
    order = np.argsort(packets.pts, kind="stable")
    pts = packets.pts[order]
    # Frames before the first keyframe belong to what was cut off; equal times say nothing about order.
    if pts[0] != packets.pts[0] or (np.diff(pts) <= 0).any():
        return None
    codec = stream.codec_context
    rising = bool((np.diff(packets.pts) > 0).all())
    if rising and codec.has_b_frames and codec.name not in _INTRA_CODECS:
        # Frames are reordered, but their times are not: these are times of decoding.
        return None
    durations = packets.durations[order]
    keys = np.flatnonzero(packets.keys[order]).astype(np.int64)
    end = int((pts + durations).max())
    return FrameTable(len(pts), pts, durations, keys, begin=int(pts[0]), end=end, cut_off=packets.cut_off)


def _changes_decoding(packet: Any) -> bool:
    has = getattr(packet, "has_sidedata", None)
    return has is not None and any(has(kind) for kind in _CHANGING_SIDE_DATA)
