"""Which packets show a frame: VP8 and VP9 send some that others only refer to."""

from __future__ import annotations

from typing import Any

_VP8_SHOWN = 0x10
_SUPERFRAME = 0xC0


def shows_a_frame(codec: str, packet: Any) -> bool:
    """Tells whether decoding PyAV's packet gives a frame.

    Args:
        codec: name of its codec or decoder.
        packet: one that is not empty.
    """
    if codec in ("vp8", "libvpx"):
        return bool(memoryview(packet)[0] & _VP8_SHOWN)
    return _vp9(memoryview(packet)) if codec in ("vp9", "libvpx-vp9") else True


def _vp9(data: memoryview) -> bool:
    # A superframe ends with a marker and holds the frame that is shown after those that are not.
    if data[-1] & 0xE0 == _SUPERFRAME:
        return True
    bits = data[0]
    # Two bits of marker and two of profile; profile 3 has one more.
    following = 3 - ((bits >> 4) & 3 == 3)
    if bits >> following & 1:
        return True
    # After "show an existing frame" come the type of the frame and whether it is shown.
    return bool(bits >> (following - 2) & 1)
