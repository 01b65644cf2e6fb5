"""Reading clips from video files: which frames, and decoding them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from essmc_core.contract.annotations import PositiveFloat, PositiveInt
from essmc_core.inputs.frames import Timeline
from essmc_core.inputs.video import VideoReader
from essmc_data.arguments.rules import check_clip, check_decoder
from essmc_data.errors import UnreadableInput
from essmc_data.item import Item, path_of
from essmc_data.readers.videos import open_video
from essmc_data.sampling.frame_samplers import IntervalSampler, SegmentSampler, UniformSampler, clip_start, strided


def _clip_of(meta: dict[str, Any]) -> tuple[int, int]:
    return int(meta.get("clip_id") or 0), int(meta.get("num_clips") or 1)


def _at_their_times(indices: Tensor, reader: VideoReader) -> Tensor:
    """Returns the frames that are shown when the chosen ones would be at a constant rate."""
    timeline = Timeline.of(reader.times, reader.duration)
    return indices if timeline.rate is not None else torch.tensor(timeline.as_if_even(indices.tolist()))


class LoadVideoFromFile:
    """Reads ``meta.video_path`` (below ``meta.prefix``), a local path or URL, into ``video``: uint8 (T, H, W, C).

    Which clip is read is up to ``meta.clip_id`` (-1 at random) of ``meta.num_clips``; with ``uniform`` sampling, to
    ``meta.start_sec`` and ``meta.end_sec``, the whole video by default.

    Args:
        num_frames: frames of the clip.
        sample_type: a frame sampler.
        clip_duration: seconds; needed for ``interval``, and the span of ``uniform`` where ``meta`` has no ``end_sec``.
        decoder: see `essmc_data.readers.open_video`.

    Raises:
        ConfigError: ``interval`` without ``clip_duration``, or an unknown decoder.
        UnreadableInput: the file is missing, damaged or no video.
    """

    def __init__(
        self,
        num_frames: PositiveInt,
        sample_type: Literal["interval", "uniform", "segment"] = "interval",
        clip_duration: PositiveFloat | None = None,
        decoder: str = "auto",
    ) -> None:
        check_clip(sample_type, clip_duration)
        self.num_frames = num_frames
        self.sample_type = sample_type
        self.clip_duration = clip_duration
        self.decoder = check_decoder(decoder)

    def indices(
        self,
        vid_len: int,
        vid_fps: float,
        meta: dict[str, Any],
        times: NDArray[np.float64] | None = None,
        duration: float | None = None,
    ) -> Tensor:
        """Returns the frames to read of a video of that length, whose frames are shown at ``times``."""
        if self.sample_type == "uniform":
            start = float(meta.get("start_sec") or 0.0)
            end = meta.get("end_sec")
            if end is None:
                end = -1.0 if self.clip_duration is None else start + self.clip_duration
            return UniformSampler()(vid_len, vid_fps, self.num_frames, start, float(end), times, duration)
        clip_id, num_clips = _clip_of(meta)
        if self.sample_type == "segment":
            return SegmentSampler()(vid_len, vid_fps, self.num_frames, clip_id, num_clips)
        assert self.clip_duration is not None
        return IntervalSampler()(vid_len, vid_fps, self.num_frames, self.clip_duration, clip_id, num_clips)

    def __call__(self, item: Item) -> Item:
        """Returns a new item."""
        with open_video(path_of(item, "video_path"), self.decoder) as reader:
            try:
                chosen = self.indices(len(reader), reader.fps, item["meta"], reader.times, reader.duration)
            except ValueError as error:
                raise UnreadableInput(f"{reader.path} has not the clip that is asked for: {error}.") from error
            if self.sample_type != "uniform":
                chosen = _at_their_times(chosen, reader)
            return {**item, "video": reader.sample_frames(chosen)}


class DecodeVideoToTensor:
    """Reads ``meta.video_path`` like `LoadVideoFromFile`, with a clip's length given in frames at a rate.

    Args:
        num_frames: frames of a clip.
        target_fps: rate at which ``sample_interval`` counts frames.
        sample_mode: ``interval``: frames ``sample_interval / target_fps`` seconds apart; ``segment``: one of each of
            ``num_frames`` equal segments.
        sample_interval: distance between neighbouring frames.
        sample_minus_interval: whether the clip ends with its last frame, ``sample_interval`` before the end of the
            time that it takes up; otherwise its frames are spread until that end.
        repeat: clips to read; several are written to ``video-0``, ``video-1`` ... instead of ``video``.
        decoder: see `essmc_data.readers.open_video`.

    Raises:
        UnreadableInput: the file is missing, damaged or no video.
    """

    def __init__(
        self,
        num_frames: PositiveInt,
        target_fps: float = 30,
        sample_mode: Literal["interval", "segment"] = "interval",
        sample_interval: int = 4,
        sample_minus_interval: bool = False,
        repeat: int = 1,
        decoder: str = "auto",
    ) -> None:
        self.num_frames = num_frames
        self.target_fps = target_fps
        self.sample_mode = sample_mode
        self.sample_interval = sample_interval
        self.sample_minus_interval = sample_minus_interval
        self.repeat = repeat
        self.decoder = check_decoder(decoder)

    def indices(self, vid_len: int, vid_fps: float, meta: dict[str, Any]) -> Tensor:
        """Returns the frames to read of a video of that length."""
        clip_id, num_clips = _clip_of(meta)
        if self.sample_mode == "segment":
            return SegmentSampler()(vid_len, vid_fps, self.num_frames, clip_id, num_clips)
        step = self.sample_interval * vid_fps / self.target_fps
        length = self.num_frames * step
        if self.sample_minus_interval:
            return strided(vid_len, clip_start(vid_len, length, clip_id, num_clips), step, self.num_frames)
        return IntervalSampler()(vid_len, vid_fps, self.num_frames, length / vid_fps, clip_id, num_clips)

    def __call__(self, item: Item) -> Item:
        """Returns a new item."""
        with open_video(path_of(item, "video_path"), self.decoder) as reader:
            chosen = [
                _at_their_times(self.indices(len(reader), reader.fps, item["meta"]), reader) for _ in range(self.repeat)
            ]
            # One pass over the file, so that clips that overlap are decoded once.
            frames = reader.sample_frames([int(index) for clip in chosen for index in clip])
        if self.repeat == 1:
            return {**item, "video": frames}
        clips = frames.split(self.num_frames)
        return {**item, **{f"video-{number}": clip.clone() for number, clip in enumerate(clips)}}
