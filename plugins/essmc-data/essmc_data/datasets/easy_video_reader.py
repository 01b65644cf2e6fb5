"""Iterating over a whole video in clips of equal length, for prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import torch

from essmc_core.inputs.video import VideoReader, frames_within
from essmc_core.inputs.video.groups import read_groups
from essmc_data.item import Item
from essmc_data.readers.videos import open_video
from essmc_data.sampling.frame_samplers import spread
from essmc_data.transforms.compose import as_transform


class EasyVideoReader:
    """Clips of a video one after another, the tail and videos shorter than one clip included.

    The video is decoded once from beginning to end, whatever the overlap. Every pass of ``for`` begins anew.

    Args:
        video_path: a local path or URL.
        num_frames: frames of a clip, spread evenly over it.
        clip_duration: seconds of a clip; the last one is shorter where the video ends.
        overlap: seconds that neighbouring clips share.
        transforms: applied to each clip: a callable, a config, or a list of them.
        decoder: see `essmc_data.readers.open_video`.

    Yields:
        ``{"video": uint8 (T, H, W, C), "meta": {"video_path", "start_sec", "end_sec"}}``, or what the transforms make
        of it.

    Raises:
        ValueError: ``clip_duration`` is not above 0, or ``overlap`` is not in [0, clip_duration).
        UnreadableInput: the video cannot be read.
    """

    def __init__(
        self,
        video_path: str,
        num_frames: int,
        clip_duration: float | Fraction | str,
        overlap: float | Fraction | str = 0,
        transforms: Callable[[Item], Item] | Sequence[Any] | None = None,
        decoder: str = "auto",
    ) -> None:
        self.video_path = video_path
        self.num_frames = num_frames
        self.clip_duration, self.overlap = Fraction(clip_duration), Fraction(overlap)
        if self.clip_duration <= 0:
            raise ValueError(f"clip_duration={clip_duration} must be above 0")
        if not 0 <= self.overlap < self.clip_duration:
            raise ValueError(f"overlap={overlap} must be at least 0 and less than clip_duration={clip_duration}")
        self.decoder = decoder
        self._transform = as_transform(transforms)

    def spans(self, duration: float) -> list[tuple[float, float]]:
        """Returns (start, end) in seconds of every clip of a video of that duration; the last ends with the video."""
        # Durations are quotients of frames and rates; a microsecond more is no clip of its own.
        end, step = Fraction(duration), self.clip_duration - self.overlap
        found = [(0.0, float(min(end, self.clip_duration)))]
        start = step
        while start + self.overlap < end - Fraction(1, 10**6):
            found.append((float(start), float(min(end, start + self.clip_duration))))
            start += step
        return found

    def __iter__(self) -> Iterator[Item]:
        with open_video(self.video_path, self.decoder) as reader:
            spans = self.spans(reader.duration)
            clips = [self._indices(reader, start, end) for start, end in spans]
            for (start, end), frames, clip in zip(spans, read_groups(reader, clips), clips, strict=True):
                video = torch.stack([torch.from_numpy(frames[index]) for index in clip])
                meta = {"video_path": self.video_path, "start_sec": start, "end_sec": end}
                yield self._transform({"video": video, "meta": meta})

    def _indices(self, reader: VideoReader, start: float, end: float) -> list[int]:
        first, last = frames_within(reader.times, reader.duration, start, end)
        return spread(first, last, self.num_frames, len(reader)).tolist()
