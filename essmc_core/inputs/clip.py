"""Video files to tensors: the central clip, several views, or one segment after another."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from essmc_core.errors import InputError
from essmc_core.inputs.frames import Timeline, clips_of
from essmc_core.inputs.picture import picture_to_views
from essmc_core.inputs.spec import InputSpec
from essmc_core.inputs.video_file import Frames, open_video_file, read_groups

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
    video = open_video_file(Path(path), spec)
    timeline = partial(Timeline.even, rate=float(video.fps))
    groups = read_groups(video, lambda total: [_flat(clips_of(timeline(total), spec, views.temporal))], spec)
    _, total, frames = next(groups)
    return _views_of(frames, clips_of(timeline(total), spec, views.temporal), spec, views)


def load_segments(
    path: str | os.PathLike[str], spec: InputSpec, seconds: float, views: Views
) -> Iterator[tuple[float, float, Tensor]]:
    """Reads a video in segments, each as `load_views` reads a whole video; every frame is decoded once.

    The last segment ends with the video, however short it is; a video shorter than a segment is one.

    Args:
        path: a file of any format that FFmpeg reads.
        spec: what the model takes.
        seconds: length of a segment.
        views: of each segment.

    Yields:
        Start and end in seconds, and the views.

    Raises:
        InputError: as for `load_clip`, or a segment would be shorter than a frame.
        MissingDependency: PyAV is not installed.
    """
    video = open_video_file(Path(path), spec)
    timeline = partial(Timeline.even, rate=float(video.fps))
    # The decimal that was written, not its nearest binary fraction: 0.1 s are 3 frames of 30.
    length = Fraction(str(seconds))
    if length * video.fps < 1:
        shortest = f"{float(1 / video.fps):.3g} s"
        raise InputError(f"Segments of {seconds} s are shorter than a frame of {video.path}, which lasts {shortest}.")

    def clips(total: int) -> list[list[tuple[int, ...]]]:
        starts = (math.ceil(number * length * video.fps) for number in itertools.count())
        edges = list(itertools.takewhile(lambda start: start < total, starts))
        return [
            [tuple(begin + index for index in clip) for clip in clips_of(timeline(end - begin), spec, views.temporal)]
            for begin, end in zip(edges, [*edges[1:], total], strict=True)
        ]

    for number, total, frames in read_groups(video, lambda total: [_flat(group) for group in clips(total)], spec):
        start, end = number * length, min((number + 1) * length, total / video.fps)
        yield float(start), float(end), _views_of(frames, clips(total)[number], spec, views)


def _flat(clips: Sequence[Sequence[int]]) -> list[int]:
    return [index for clip in clips for index in clip]


def _views_of(frames: Frames, clips: Sequence[Sequence[int]], spec: InputSpec, views: Views) -> Tensor:
    pictures = {index: picture_to_views(image, spec, views.spatial) for index, image in frames.items()}
    # (T, spatial, 3, H, W) each.
    stacked = [torch.stack([pictures[index] for index in clip]) for clip in clips]
    batch = torch.cat([clip.transpose(0, 1) for clip in stacked])
    return batch.permute(_ORDER[spec.layout]).contiguous()
