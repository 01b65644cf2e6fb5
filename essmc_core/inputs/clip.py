"""Video files to tensors: the central clip, several views, or one segment after another."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from essmc_core.errors import InputError, UnreadableInput
from essmc_core.inputs.frames import Timeline, clips_of
from essmc_core.inputs.picture import picture_to_views
from essmc_core.inputs.spec import InputSpec
from essmc_core.inputs.video import VideoReader, frames_beginning_within, open_video
from essmc_core.inputs.video.groups import read_groups
from essmc_core.inputs.video.reader import Frame

if TYPE_CHECKING:
    from PIL.Image import Image

Segments: TypeAlias = float | Sequence[tuple[float, float]]
"""Parts of a video: the length of each in seconds, or where each begins and ends."""

_FEW_SEGMENTS = 1000
_ORDER = {"NCTHW": (0, 2, 1, 3, 4), "NTCHW": (0, 1, 2, 3, 4), "NTHWC": (0, 1, 3, 4, 2)}


@dataclass(frozen=True, slots=True)
class Views:
    """How many clips of a video, and how many parts of each picture.

    Attributes:
        temporal: clips, spread over the video.
        spatial: parts, spread over the longer side.
    """

    temporal: int = 1
    spatial: int = 1


def load_clip(path: str | os.PathLike[str], spec: InputSpec) -> Tensor:
    """Reads the central clip of a video as a model takes it; each frame is treated as `load_image` treats an image.

    Frames are decoded once, up to the last one that is needed, and only those of the clip are converted.
    `essmc_core.inputs.frames` says which they are.

    Args:
        path: a file of any format that FFmpeg reads.
        spec: what the model takes.

    Returns:
        A float32 tensor (1, 3, T, H, W), or in the layout of ``spec``.

    Raises:
        InputError: the file is missing, damaged or no video, or the model takes images.
        MissingDependency: PyAV is not installed.
    """
    return load_views(path, spec, Views())


def load_views(path: str | os.PathLike[str], spec: InputSpec, views: Views) -> Tensor:
    """Reads several views of a video, as `load_clip` reads one; each frame is decoded once.

    Returns:
        A float32 tensor (views.temporal * views.spatial, 3, T, H, W), or in the layout of ``spec``; the spatial views
        of a clip follow each other.

    Raises:
        InputError: as for `load_clip`.
        MissingDependency: PyAV is not installed.
    """
    with _opened(path, spec) as video:
        clips = clips_of(Timeline.of(video.times, video.duration), spec, views.temporal)
        return read_clips(video, clips, spec, lambda picture: picture_to_views(picture, spec, views.spatial))


def read_clips(
    video: VideoReader, clips: Sequence[Sequence[int]], spec: InputSpec, prepare: Callable[[Image], Tensor]
) -> Tensor:
    """Reads clips of an open video as a model takes them; each frame is decoded and prepared once, in rising order.

    Args:
        video: an open video.
        clips: frame numbers of each clip.
        spec: what the model takes.
        prepare: makes of a frame the parts of it that the model sees, (parts, 3, H, W).

    Returns:
        A float32 tensor (clips * parts, 3, T, H, W), or in the layout of ``spec``.

    Raises:
        UnreadableInput: a frame cannot be decoded.
    """
    distinct = sorted(set(_flat(clips)))
    frames = zip(distinct, video.iter_frames(distinct), strict=True)
    return _stacked({index: prepare(_picture(frame)) for index, frame in frames}, clips, spec)


def load_segments(
    path: str | os.PathLike[str], spec: InputSpec, segments: Segments, views: Views
) -> Iterator[tuple[float, float, Tensor]]:
    """Reads a video in segments, each as `load_views` reads a whole video; every frame is decoded once.

    Of segments of one length the last ends with the video, however short it is; a video shorter than a segment is one.

    Args:
        path: a file of any format that FFmpeg reads.
        spec: what the model takes.
        segments: length of each in seconds, or where each begins and ends, in the order of their beginnings.
        views: of each segment.

    Yields:
        Start and end in seconds, and the views.

    Raises:
        InputError: as for `load_clip`, or a segment would be shorter than a frame, or is not within the video.
        MissingDependency: PyAV is not installed.
    """
    with _opened(path, spec) as video:
        # Readers may compute them anew each time they are asked.
        times, duration = video.times, video.duration
        timeline, spans, clips = Timeline.of(times, duration), [], []
        for start, end in _spans(video, segments):
            first, stop = frames_beginning_within(times, duration, start, end)
            # What began before is still shown where nothing new begins.
            first, stop = (first, stop) if first < stop else (max(0, first - 1), max(1, first))
            spans.append((start, end))
            part = clips_of(timeline.part(first, stop), spec, views.temporal)
            clips.append([tuple(first + index for index in clip) for clip in part])
        for span, chosen, frames in zip(spans, clips, read_groups(video, [_flat(c) for c in clips]), strict=True):
            yield *span, views_of_frames(frames, chosen, spec, views)


def _spans(video: VideoReader, segments: Segments) -> Iterator[tuple[float, float]]:
    """Yields where each segment begins and ends."""
    if isinstance(segments, (int, float)):
        yield from _equal_spans(video, segments)
        return
    before, duration = 0.0, video.duration
    for start, end in segments:
        if not before <= start < min(end, duration):
            raise InputError(
                f"No segment of {video.path} goes from {start:g} s to {end:g} s: it ends after {duration:.3f} s.",
                hint="Segments begin before they end, within the video, and in the order of their beginnings.",
            )
        before = start
        yield float(start), min(float(end), duration)


def _equal_spans(video: VideoReader, seconds: float) -> Iterator[tuple[float, float]]:
    # The decimal that was written, not its nearest binary fraction: 0.1 s are 3 frames of 30.
    length = Fraction(str(seconds))
    shortest = float(np.diff(video.times, append=video.duration).min())
    if float(length) < (1 - 1e-3) * shortest:
        raise InputError(
            f"Segments of {seconds} s are shorter than a frame of {video.path}, which lasts {shortest:.3g} s."
        )
    duration = video.duration
    if duration / float(length) > max(_FEW_SEGMENTS, 4 * len(video)):
        raise InputError(f"Segments of {seconds} s are too short for the {len(video)} frames of {video.path}.")
    for number in range(math.ceil(Fraction(duration) / length)):
        start, end = float(number * length), min(float((number + 1) * length), duration)
        if end - start > 1e-6:
            yield start, end


def _opened(path: str | os.PathLike[str], spec: InputSpec) -> VideoReader:
    if spec.modality != "video":
        raise InputError(f"{path} was to be read as a video, but the model takes {spec}.")
    try:
        return open_video(path)
    except UnreadableInput as error:
        error.hint = error.hint or f"The model takes {spec}."
        raise


def _flat(clips: Sequence[Sequence[int]]) -> list[int]:
    return [index for clip in clips for index in clip]


def _picture(frame: Frame) -> Image:
    from PIL import Image as pil

    return pil.fromarray(np.ascontiguousarray(frame))


def views_of_frames(
    frames: Mapping[int, Frame], clips: Sequence[Sequence[int]], spec: InputSpec, views: Views
) -> Tensor:
    """Returns clips of frames as a model takes them, the spatial views of a clip after each other; see `load_views`."""
    pictures = {index: picture_to_views(_picture(frame), spec, views.spatial) for index, frame in frames.items()}
    return _stacked(pictures, clips, spec)


def _stacked(pictures: Mapping[int, Tensor], clips: Sequence[Sequence[int]], spec: InputSpec) -> Tensor:
    """Returns clips one after another, of frames that are (spatial, 3, H, W) each by number."""
    stacked = [torch.stack([pictures[index] for index in clip]) for clip in clips]
    batch = torch.cat([clip.transpose(0, 1) for clip in stacked])
    return batch.permute(_ORDER[spec.layout]).contiguous()
