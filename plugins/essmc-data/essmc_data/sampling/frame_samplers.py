"""Which frames of a video make up a clip: uniform, interval and segment sampling.

All return (num_frames,) int64 frame numbers in [0, vid_len), never falling. A ``clip_id`` of -1 draws at random from
torch's generator, which a dataset seeds for every item; any other is deterministic.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from essmc_core.inputs.video import frames_within

RANDOM_CLIP = -1
"""The ``clip_id`` of training."""


class UniformSampler:
    """Frames spread evenly over a span of seconds, both its first and its last frame included."""

    def __call__(
        self,
        vid_len: int,
        vid_fps: float,
        num_frames: int,
        start_sec: float = 0.0,
        end_sec: float = -1.0,
        times: Sequence[float] | NDArray[np.float64] | None = None,
        duration: float | None = None,
    ) -> Tensor:
        """Returns the frames of [``start_sec``, ``end_sec``); one frame is the middle one.

        Args:
            vid_len: frames in the video.
            vid_fps: frames per second.
            num_frames: frames to choose.
            start_sec: beginning of the span.
            end_sec: end of the span, cut at the video's; negative for the video's end.
            times: seconds at which each frame begins to be shown; by default all are shown equally long.
            duration: seconds at which the last one ends; by default it is shown for one part in ``vid_fps``.

        Raises:
            ValueError: the span is empty, or begins after the video's end.
        """
        _check(vid_len, vid_fps, num_frames)
        if times is None:
            times, duration = np.arange(vid_len) / vid_fps, vid_len / vid_fps
        elif duration is None:
            duration = float(times[-1]) + 1 / vid_fps
        end = duration if end_sec < 0 else min(end_sec, duration)
        if end <= start_sec:
            raise ValueError(f"no frame is shown between {start_sec} s and {end_sec} s of a video of {duration:.3f} s")
        first, last = frames_within(times, duration, start_sec, end)
        return spread(first, last, num_frames, vid_len)


class IntervalSampler:
    """Frames spread evenly over a clip of given length: at random in training, at fixed places in evaluation."""

    def __call__(
        self,
        vid_len: int,
        vid_fps: float,
        num_frames: int,
        clip_duration: float,
        clip_id: int = 0,
        num_clips: int = 1,
    ) -> Tensor:
        """Returns the frames of a clip; of a video shorter than the clip, the last frame is repeated.

        Args:
            vid_len: frames in the video.
            vid_fps: frames per second.
            num_frames: frames to choose.
            clip_duration: length of the clip in seconds.
            clip_id: which of ``num_clips`` clips; -1 for one at random.
            num_clips: a lone clip is the central one, several begin with the video's start and end with its end.
        """
        _check(vid_len, vid_fps, num_frames, clip_id, num_clips)
        length = max(1.0, clip_duration * vid_fps)
        start = clip_start(vid_len, length, clip_id, num_clips)
        return spread(start, start + length - 1, num_frames, vid_len)


class SegmentSampler:
    """One frame of each of ``num_frames`` equal segments (temporal segment networks, Wang et al., ECCV 2016)."""

    def __call__(self, vid_len: int, vid_fps: float, num_frames: int, clip_id: int = 0, num_clips: int = 1) -> Tensor:
        """Returns one frame of each segment.

        Args:
            vid_len: frames in the video.
            vid_fps: frames per second; not used.
            num_frames: segments.
            clip_id: -1 takes any frame of a segment, others the one at (``clip_id`` + 1) / ``num_clips`` of it.
            num_clips: 1 takes the middle of each segment.
        """
        _check(vid_len, vid_fps, num_frames, clip_id, num_clips)
        edges = torch.linspace(0, vid_len, num_frames + 1, dtype=torch.float64)
        lower, width = edges[:-1], edges[1:] - edges[:-1]
        if clip_id == RANDOM_CLIP:
            places = (lower + width * torch.rand(num_frames, dtype=torch.float64)).floor()
        else:
            share = 0.5 if num_clips == 1 else (clip_id + 1) / num_clips
            places = (lower + width * share).clamp(max=vid_len - 1).round()
        return places.clamp(0, vid_len - 1).long()


def clip_start(vid_len: int, length: float, clip_id: int, num_clips: int) -> float:
    """Returns the first frame, not rounded, of a clip of ``length`` frames: random, central, or evenly spread."""
    slack = max(vid_len - length, 0.0)
    if clip_id == RANDOM_CLIP:
        return slack * torch.rand((), dtype=torch.float64).item()
    return slack / 2 if num_clips == 1 else slack * clip_id / (num_clips - 1)


def strided(vid_len: int, start: float, step: float, num_frames: int) -> Tensor:
    """Returns ``num_frames`` frames, ``step`` apart; where the video is too short, its last frame is repeated."""
    places = start + step * torch.arange(num_frames, dtype=torch.float64)
    return (places + 1e-6).floor().clamp(0, vid_len - 1).long()


def spread(first: float, last: float, num_frames: int, vid_len: int) -> Tensor:
    """Returns ``num_frames`` frames, evenly from ``first`` to ``last``; one is the middle one."""
    if num_frames == 1:
        places = torch.tensor([(first + last) / 2], dtype=torch.float64)
    else:
        places = torch.linspace(first, last, num_frames, dtype=torch.float64)
    return (places + 1e-6).floor().clamp(0, vid_len - 1).long()


def _check(vid_len: int, vid_fps: float, num_frames: int, clip_id: int = 0, num_clips: int = 1) -> None:
    if vid_len < 1 or vid_fps <= 0 or num_frames < 1:
        raise ValueError(f"vid_len={vid_len}, vid_fps={vid_fps} and num_frames={num_frames} must be positive")
    if not RANDOM_CLIP <= clip_id < num_clips:
        raise ValueError(f"clip_id={clip_id} is neither -1 nor one of {num_clips} clips")
