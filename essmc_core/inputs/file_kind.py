"""What a file is, by its content: so that a wrong kind of file is called what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from essmc_core.weights.sniff import zip_kind

FileKind: TypeAlias = Literal[
    "torchscript", "pt2", "onnx", "openvino", "checkpoint", "safetensors", "image", "video", "sound", "yaml", "other"
]

WORDS: dict[FileKind, str] = {
    "torchscript": "a TorchScript program",
    "pt2": "an exported program of PyTorch (.pt2)",
    "onnx": "an ONNX network",
    "openvino": "an OpenVINO network",
    "checkpoint": "a checkpoint of PyTorch",
    "safetensors": "weights (safetensors)",
    "image": "a picture",
    "video": "a video",
    "sound": "sound",
    "yaml": "a YAML file",
    "other": "a file of another kind",
}
_IMAGES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_VIDEOS = (b"\x1aE\xdf\xa3", b"FLV", b"\0\0\1\xba", b"\0\0\1\xb3", b"OggS", b"0&\xb2u")
_SOUNDS = (b"ID3", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")
_PICTURE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")
# The first field of an ONNX file is its format's version, a small number, and the second the producer's name.
_ONNX = b"\x08"
_HEAD = 4096


def file_kind(path: Path) -> FileKind:
    """Returns what a file is.

    Args:
        path: an existing file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(b"PK\x03\x04"):
        return zip_kind(path) or "other"
    if path.suffix.lower() == ".onnx" and head.startswith(_ONNX):
        return "onnx"
    if path.suffix.lower() == ".xml" and b"<net " in head:
        return "openvino"
    if path.suffix.lower() in (".yaml", ".yml"):
        return "yaml"
    if head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 1 << 30:
        return "safetensors"
    if head[:1] == b"\x80" and path.suffix.lower() in (".pth", ".pt", ".pkl", ".pyth", ".ckpt", ".bin", ".tar"):
        return "checkpoint"
    return _kind_of_media(head)


def _kind_of_media(head: bytes) -> FileKind:
    if head.startswith(_IMAGES):
        return "image"
    if head.startswith(b"RIFF"):
        return {b"WEBP": "image", b"AVI ": "video", b"WAVE": "sound"}.get(head[8:12], "other")  # type: ignore[return-value]
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        if head[8:12] in _PICTURE_BRANDS:
            return "image"
        return "sound" if head[8:12] in (b"M4A ", b"M4B ") else "video"
    if head.startswith(_VIDEOS) or (head[:1] == b"G" and head[188:189] == b"G"):
        return "video"
    return "sound" if head.startswith(_SOUNDS) else "other"
