"""Headers of a few bytes that claim millions of frames: refused before FFmpeg makes a table of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from essmc_core.errors import UnreadableInput

_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip")
_HOLDING = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_MANY = 1_000_000
_MOST_BOXES = 100_000


def refuse_absurd_claims(source: str | BinaryIO, path: str) -> None:
    """Checks an MP4's numbers of frames against its size; other containers are read frame by frame.

    Args:
        source: a path, or a binary file, whose place is left as it was.
        path: what messages call it.

    Raises:
        UnreadableInput: it claims more frames than it has bytes.
    """
    if isinstance(source, str):
        with open(source, "rb") as file:
            _check(file, path)
        return
    place = source.tell()
    try:
        _check(source, path)
    finally:
        source.seek(place)


def _check(file: BinaryIO, path: str) -> None:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if file.read(8)[4:] not in _FIRST_BOXES:
        return
    for count in _frame_counts(file, size):
        if count > max(_MANY, size):
            raise UnreadableInput(f"{path} claims {count:,} frames, more than its {size:,} bytes can hold.")


def _frame_counts(file: BinaryIO, size: int) -> Iterator[int]:
    """Yields how many frames of one size each track claims; those of several sizes are listed, which takes bytes."""
    place = 0
    for _ in range(_MOST_BOXES):
        if place + 8 > size:
            return
        file.seek(place)
        head = file.read(20)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if kind == b"stsz" and any(head[12:16]):
            yield int.from_bytes(head[16:20], "big")
        if kind in _HOLDING and length != 1:
            place += 8
            continue
        place += int.from_bytes(head[8:16], "big") if length == 1 else length
        if length < 8 and length != 1:
            return
