"""Whether an H.264 stream begins with a picture that needs nothing before it."""

from __future__ import annotations

import re

_START_CODE = re.compile(b"\x00\x00\x01(.)", re.DOTALL)
_IDR = 5


def begins_with_idr(packet: bytes) -> bool:
    """Tells whether a packet, in either way of writing H.264, holds an IDR picture; False where that is not clear.

    What a stream that was cut elsewhere begins with, a decoder holds back until all of the picture is new.
    """
    if packet.startswith((b"\0\0\1", b"\0\0\0\1")):
        return any(found[0] & 31 == _IDR for found in _START_CODE.findall(packet))
    place = 0
    while place + 5 <= len(packet):
        if packet[place + 4] & 31 == _IDR:
            return True
        place += 4 + int.from_bytes(packet[place : place + 4], "big")
    return False
