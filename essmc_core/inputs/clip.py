"""Video files to tensors."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from essmc_core.errors import InputError, MissingDependency
from essmc_core.inputs.files import check_file
from essmc_core.inputs.frames import clip_indices
from essmc_core.inputs.picture import picture_to_tensor
from essmc_core.inputs.spec import InputSpec

if TYPE_CHECKING:
    from PIL.Image import Image

_ORDER = {"NCTHW": (1, 0, 2, 3), "NTCHW": (0, 1, 2, 3), "NTHWC": (0, 2, 3, 1)}


def load_clip(path: str | os.PathLike[str], spec: InputSpec) -> Tensor:
    """Reads the central clip of a video as a model takes it; each frame is treated as `load_image` treats an image.

    Frames are decoded once, up to the last one that is needed, and only those of the clip are converted. `clip_indices`
    says which they are.

    Args:
        path: a file of any format that FFmpeg reads.
        spec: what the model takes.

    Returns:
        A float32 tensor (1, 3, T, H, W), or in the layout of ``spec``.

    Raises:
        InputError: the file is missing, damaged or no video, or the model takes images.
        MissingDependency: PyAV is not installed.
    """
    file = check_file(Path(path), spec)
    if spec.modality != "video":
        raise InputError(f"{file} was to be read as a video, but the model takes {spec}.")
    try:
        import av
    except ImportError as error:
        raise MissingDependency("Videos are read with PyAV, which is not installed.", hint="pip install av") from error
    try:
        frames = _read_frames(file, spec)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file} cannot be read as a video: {error}.", hint=f"The model takes {spec}.") from error
    clip = torch.stack([picture_to_tensor(frame, spec) for frame in frames])
    return clip.permute(_ORDER[spec.layout]).contiguous()[None]


def _read_frames(file: Path, spec: InputSpec) -> list[Image]:
    total = _announced_frames(file, spec)
    wanted = clip_indices(total, spec)
    kept, decoded = _decode(file, set(wanted))
    if decoded <= wanted[-1]:
        # Fewer frames came than the file announces: the centre is elsewhere.
        if not decoded:
            raise InputError(f"No frame of {file} can be decoded.", hint=f"The model takes {spec}.")
        wanted = clip_indices(decoded, spec)
        if not set(wanted) <= kept.keys():
            kept, _ = _decode(file, set(wanted))
    return [kept[index] for index in wanted]


def _announced_frames(file: Path, spec: InputSpec) -> int:
    """Returns the number of frames by the header, or by counting packets, which takes no decoding."""
    import av

    with av.open(str(file)) as container:
        if not container.streams.video:
            raise InputError(f"{file} has no video in it.", hint=f"The model takes {spec}.")
        # FFmpeg reads a picture as a video of one frame.
        if container.format.name == "image2" or container.format.name.endswith("_pipe"):
            raise InputError(f"{file} is an image.", hint=f"The model takes {spec}.")
        stream = container.streams.video[0]
        return int(stream.frames) or max(1, sum(packet.size > 0 for packet in container.demux(stream)))


def _decode(file: Path, wanted: Collection[int]) -> tuple[dict[int, Image], int]:
    """Returns the wanted frames by index, and how many frames were decoded."""
    import av

    kept: dict[int, Image] = {}
    decoded, last = 0, max(wanted)
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            if decoded in wanted:
                kept[decoded] = _upright(frame)
            decoded += 1
            if decoded > last:
                break
    return kept, decoded


def _upright(frame: Any) -> Image:
    image: Image = frame.to_image()
    # Counter-clockwise degrees by which a player turns the picture; phones film sideways. Old PyAV does not tell.
    turn = getattr(frame, "rotation", 0)
    return image.rotate(turn, expand=True) if turn else image
