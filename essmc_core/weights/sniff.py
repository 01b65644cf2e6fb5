"""Detects the format of a file from its first bytes."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Literal

Format = Literal["safetensors", "torch zip", "torch legacy", "pickle"]
ZipKind = Literal["torchscript", "pt2", "checkpoint"]

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
    (b"GIF8", "a GIF image"),
    (b"7z\xbc\xaf", "a 7-Zip archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive: unpack it first"),
    (b"GGUF", "a GGUF file of llama.cpp, not weights of PyTorch"),
)
_WEIGHTS_NAMES = (".safetensors", ".pth", ".pt", ".pyth", ".ckpt", ".bin", ".pkl", ".onnx")
_INDEX = "weight_map"


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
        return describe_folder(path)
    size = path.stat().st_size
    if size == 0:
        return "an empty file"
    with path.open("rb") as stream:
        head = stream.read(512)
    for signature, meaning in _SIGNATURES:
        if head.startswith(signature):
            return meaning
    if head.startswith(b"PK\x03\x04"):
        return _describe_zip(path)
    if head[:4] == b"RIFF":
        return f"a {head[8:12].decode('ascii', 'replace').strip()} file, a picture, a video or sound"
    if head[4:8] == b"ftyp":
        return "a video or a picture"
    if head[257:262] == b"ustar":
        return "a tar archive: unpack it first"
    if _looks_like_header(head, size):
        return "a truncated safetensors file"
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page: the address led to a page instead of the file"
    if not any(head):
        return f"{size} bytes that begin with zeros"
    if text.startswith(b"{") and (shards := _shards(path)):
        return f"the index of weights in {_several(shards)}: give one of these files"
    if all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in head):
        return f"text, which begins with {head[:40].decode('ascii')!r}"
    return f"{size} bytes of no known format"


def describe_folder(path: Path) -> str:
    """Returns what a folder holds in the way of weights, as the end of a sentence."""
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except OSError:
        return "a directory that cannot be listed"
    for name in names:
        if name.endswith(".index.json") and (shards := _shards(path / name)):
            return f"a directory with weights in {_several(shards)}, listed in {name}: give one of these files"
    weights = [name for name in names if name.lower().endswith(_WEIGHTS_NAMES)]
    if len(weights) == 1:
        return f"a directory: its weights are {path / weights[0]}"
    if weights:
        return f"a directory of several files of weights: give one of them ({', '.join(weights[:5])})"
    return "a directory"


def _shards(index: Path) -> list[str]:
    """Returns the files that an index of sharded weights names, none if it is no such index."""
    if index.stat().st_size > _LONGEST_HEADER:
        return []
    try:
        found = json.loads(index.read_bytes())
        return sorted({str(name) for name in found[_INDEX].values()})
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return []


def _several(shards: list[str]) -> str:
    shown = ", ".join(shards[:3]) + (", …" if len(shards) > 3 else "")
    return f"{len(shards)} file{'s' if len(shards) != 1 else ''} ({shown})"


def is_torchscript(path: Path) -> bool:
    """Returns whether a zip file is a TorchScript archive, that is, a program and not only tensors."""
    return zip_kind(path) == "torchscript"


def zip_kind(path: Path) -> ZipKind | None:
    """Returns what a zip file is, None where torch did not write it or it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:
        # A damaged archive may raise anything; reading the weights reports it.
        return None
    ends = {name.partition("/")[2] for name in names}
    if "archive_format" in ends or "serialized_exported_program.json" in names:
        return "pt2"
    if "constants.pkl" in ends:
        return "torchscript"
    return "checkpoint" if "data.pkl" in ends else None


def _describe_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
    except Exception:
        return "a damaged or truncated zip archive: fetch it again"
    weights = [name for name in names if name.lower().endswith(_WEIGHTS_NAMES)]
    if weights:
        return f"a zip archive that holds {weights[0]}: unpack it and give that file"
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"a zip archive of other files ({shown or 'none'})"


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
