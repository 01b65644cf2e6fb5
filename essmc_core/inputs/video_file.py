"""Frames of a video file by number, each decoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.errors import InputError, MissingDependency
from essmc_core.inputs.files import check_file
from essmc_core.inputs.forking import leave_decoders_to_this_process
from essmc_core.inputs.spec import InputSpec

if TYPE_CHECKING:
    from PIL.Image import Image

Frames = dict[int, "Image"]
_END: Any = object()
_USUAL_RATE = 25
# Which frames are wanted of a video of so many: groups, none of which begins before the one before it.
Choice = Callable[[int], Sequence[Sequence[int]]]


@dataclass(frozen=True, slots=True)
class VideoFile:
    """A video that was found to be one.

    Attributes:
        path: the file.
        total: frames by the header, or by counting packets; fewer may come.
        fps: frames per second.
    """

    path: Path
    total: int
    fps: Fraction


def open_video_file(path: Path, spec: InputSpec) -> VideoFile:
    """Reads what the header says, decoding nothing.

    Raises:
        InputError: the file is missing, damaged or no video, or the model takes images.
        MissingDependency: PyAV is not installed.
    """
    file = check_file(path, spec)
    if spec.modality != "video":
        raise InputError(f"{file} was to be read as a video, but the model takes {spec}.")
    try:
        import av
    except ImportError as error:
        raise MissingDependency("Videos are read with PyAV, which is not installed.", hint="pip install av") from error
    leave_decoders_to_this_process()
    with _explained(file, spec), av.open(str(file)) as container:
        if not container.streams.video:
            raise InputError(f"{file} has no video in it.", hint=f"The model takes {spec}.")
        # FFmpeg reads a picture as a video of one frame.
        if container.format.name == "image2" or container.format.name.endswith("_pipe"):
            raise InputError(f"{file} is an image.", hint=f"The model takes {spec}.")
        stream = container.streams.video[0]
        fps = Fraction(stream.average_rate or stream.guessed_rate or _USUAL_RATE)
        total = int(stream.frames) or max(1, sum(packet.size > 0 for packet in container.demux(stream)))
    return VideoFile(file, total, fps)


def read_groups(video: VideoFile, choose: Choice, spec: InputSpec) -> Iterator[tuple[int, int, Frames]]:
    """Yields the frames of each group in one pass over the video, keeping none longer than later groups need it.

    Where the file has fewer frames than it announces, ``choose`` is asked again with their number, for the groups that
    are still to come.

    Args:
        video: what to read.
        choose: the groups, by the number of frames.
        spec: for messages.

    Yields:
        Number of the group, number of frames that the choice was made for, and the frames by number.

    Raises:
        InputError: damaged, or no frame can be decoded.
    """
    done, total = 0, video.total
    while True:
        groups = choose(total)
        with _explained(video.path, spec):
            short = None
            for number, frames in _one_pass(video, groups, done):
                if frames is None:
                    short = number
                    break
                yield done, total, frames
                done += 1
        if short is None:
            return
        if not short:
            raise InputError(f"No frame of {video.path} can be decoded.", hint=f"The model takes {spec}.")
        total = short


def _one_pass(video: VideoFile, groups: Sequence[Sequence[int]], skip: int) -> Iterator[tuple[int, Frames | None]]:
    """Yields the groups from ``skip`` on; if the frames run out, their number and None."""
    kept: Frames = {}
    stream = _decode(video.path, {index for group in groups[skip:] for index in group})
    decoded = 0
    for number, group in enumerate(groups[skip:], skip):
        while decoded <= max(group):
            image = next(stream, _END)
            if image is _END:
                yield decoded, None
                return
            if image is not None:
                kept[decoded] = image
            decoded += 1
        yield number, {index: kept[index] for index in group}
        if number + 1 < len(groups):
            begin = min(groups[number + 1])
            kept = {index: image for index, image in kept.items() if index >= begin}


def _decode(path: Path, wanted: set[int]) -> Iterator[Any]:
    """Yields an image for each wanted frame, None for the others."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for number, frame in enumerate(container.decode(stream)):
            yield _upright(frame) if number in wanted else None


def _upright(frame: Any) -> Image:
    image: Image = frame.to_image()
    # Counter-clockwise degrees by which a player turns the picture; phones film sideways. Old PyAV does not tell.
    turn = getattr(frame, "rotation", 0)
    return image.rotate(turn, expand=True) if turn else image


@contextmanager
def _explained(file: Path, spec: InputSpec) -> Iterator[None]:
    import av

    try:
        yield
    except InputError:
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read as a video: {error}.", hint=f"The model takes {spec}.") from error
