"""How many bytes a file should have by what its container says, so that one that broke off is noticed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import BinaryIO

_RIFF, _EBML, _FIRST_BOXES = b"RIFF", b"\x1a\x45\xdf\xa3", (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip")
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_HEADER_BYTES = 1 << 16
_MOST_PARTS = 100_000


def missing_bytes(source: str | BinaryIO) -> tuple[int, int] | None:
    """Returns how many bytes a file has and should have at least, where it has fewer; None where all is well.

    Args:
        source: a path, or a binary file, whose place is left as it was.
    """
    if isinstance(source, str):
        with open(source, "rb") as file:
            return _missing(file)
    place = source.tell()
    try:
        return _missing(source)
    finally:
        source.seek(place)


def _missing(file: BinaryIO) -> tuple[int, int] | None:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(16)
    if head[:4] == _RIFF:
        announced = _end_of_parts(file, size, _riff_part)
    elif head[4:8] in _FIRST_BOXES:
        announced = _end_of_parts(file, size, _box)
    elif head[:4] == _EBML:
        announced = _end_of_parts(file, size, _ebml_element)
    elif head == _ASF_HEADER:
        announced = _asf_size(file)
    else:
        return None
    return (size, announced) if announced > size else None


def _end_of_parts(file: BinaryIO, size: int, length_of: Callable[[bytes], int]) -> int:
    """Returns where the last part at the top level ends; 0 where that is not known."""
    place = 0
    for _ in range(_MOST_PARTS):
        if place >= size:
            return place
        file.seek(place)
        length = length_of(file.read(24))
        if not length:
            return 0
        place += length
    return 0


def _riff_part(head: bytes) -> int:
    length = int.from_bytes(head[4:8], "little")
    # What is written live, or follows the last part, says nothing.
    return 8 + length + length % 2 if head[:4] == _RIFF and 0 < length < 0xFFFFFFF0 else 0


def _box(head: bytes) -> int:
    length = int.from_bytes(head[:4], "big")
    if len(head) < 8 or not head[4:8].isascii():
        return 0
    return int.from_bytes(head[8:16], "big") if length == 1 else length if length >= 8 else 0


def _ebml_element(head: bytes) -> int:
    if len(head) < 12 or not head[0]:
        return 0
    tag = 9 - head[0].bit_length()
    if tag > 4 or not head[tag]:
        return 0
    width = 9 - head[tag].bit_length()
    length = int.from_bytes(head[tag : tag + width], "big") & ((1 << 7 * width) - 1)
    # All bits set: as long as it gets.
    return 0 if length == (1 << 7 * width) - 1 else tag + width + length


def _asf_size(file: BinaryIO) -> int:
    file.seek(0)
    head = file.read(_HEADER_BYTES)
    at = head.find(_ASF_PROPERTIES)
    if at < 0 or len(head) < at + 92:
        return 0
    live = head[at + 88] & 1
    return 0 if live else int.from_bytes(head[at + 40 : at + 48], "little")
