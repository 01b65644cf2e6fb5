"""Detects the format of a file from its first bytes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Literal

Format = Literal["safetensors", "torch zip", "torch legacy", "pickle"]

# The safetensors library's own limit of a header.
_LONGEST_HEADER = 100_000_000
# Files of torch before 1.6 begin with a pickle of this number.
_LEGACY_MAGIC = bytes.fromhex("6cfc9c46f9206aa85019")
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer: the repository was cloned without its large files (git lfs pull)"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"BZh", "a bzip2 archive: unpack it first"),
    (b"\xfd7zXZ", "an xz archive: unpack it first"),
    (b"\x89HDF", "an HDF5 file (Keras?), not weights of PyTorch"),
    (b"\x93NUMPY", "a NumPy array, not a state dict"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
)


def sniff(path: Path) -> Format | None:
    """Returns the weights format of the file's content, None if it is unknown."""
    with path.open("rb") as stream:
        head = stream.read(64)
    if _safetensors_header(path, head):
        return "safetensors"
    if head.startswith(b"PK\x03\x04"):
        return "torch zip"
    if head.startswith(b"\x80") and len(head) > 1 and 2 <= head[1] <= 5:
        return "torch legacy" if _LEGACY_MAGIC in head or _LEGACY_MAGIC[::-1] in head else "pickle"
    return None


def describe(path: Path) -> str:
    """Returns what a file that is not a weights file seems to be, as the end of a sentence."""
    if path.is_dir():
        return "a directory"
    size = path.stat().st_size
    if size == 0:
        return "an empty file"
    with path.open("rb") as stream:
        head = stream.read(512)
    for signature, meaning in _SIGNATURES:
        if head.startswith(signature):
            return meaning
    if head[257:262] == b"ustar":
        return "a tar archive: unpack it first"
    if _looks_like_header(head, size):
        return "a truncated safetensors file"
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page: the address led to a page instead of the file"
    if not any(head):
        return f"{size} bytes that begin with zeros"
    if all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in head):
        return f"text, which begins with {head[:40].decode('ascii')!r}"
    return f"{size} bytes of no known format"


def is_torchscript(path: Path) -> bool:
    """Returns whether a zip file is a TorchScript archive, that is, a program and not only tensors."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except Exception:
        # A damaged archive may raise anything; reading the weights reports it.
        return False


def _safetensors_header(path: Path, head: bytes) -> bool:
    length = int.from_bytes(head[:8], "little")
    if head[8:9] != b"{" or length > min(path.stat().st_size - 8, _LONGEST_HEADER):
        return False
    with path.open("rb") as stream:
        stream.seek(8)
        try:
            return isinstance(json.loads(stream.read(length)), dict)
        except (ValueError, RecursionError):
            return False


def _looks_like_header(head: bytes, size: int) -> bool:
    return head[8:10] == b'{"' and int.from_bytes(head[:8], "little") <= _LONGEST_HEADER
