"""From a video file to its shots: frames are decoded once, scaled down at once, and judged in windows."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import essmc_core
from essmc_core import TrainModule
from essmc_core.errors import ConfigError
from essmc_core.inputs.video import VideoReader, open_video
from essmc_core.models.devices import find_device
from essmc_core.weights.package_files import find_package_file
from essmc_shots.shots import Shot, shots_of
from essmc_shots.windows import CONTEXT, Frames, windows_of

THRESHOLD = 0.5
_SIZE = (48, 27)
"""Width and height that frames are squeezed to."""
_WINDOWS_AT_ONCE = 8

Progress = Callable[[int, int], None]
"""Is told how many frames are done, and of how many."""


def find_shots(
    path: str | os.PathLike[str],
    *,
    threshold: float = THRESHOLD,
    device: str | None = None,
    model: TrainModule | None = None,
    progress: Progress | None = None,
) -> list[Shot]:
    """Cuts a video into shots.

    Memory stays the same however long the video is, but for some numbers per frame.

    Args:
        path: a video file of any format that FFmpeg reads; ``pkg://distribution/path`` is one of an installed package.
        threshold: probability above which a frame is part of a transition, between 0 and 1.
        device: where to run: ``cpu`` by default, ``cuda``, ``mps``, or ``auto`` for the fastest available.
        model: what judges the frames, as ``transnetv2`` does, on the device it is on; ``transnetv2`` with its published
            weights by default. Pass one to build it once for many videos.
        progress: is called with the number of frames done and the number of all.

    Returns:
        The shots in order; at least one.

    Raises:
        InputError: the file is missing, damaged or no video.
        MissingDependency: PyAV is not installed.
        WeightsNotFound: the package with the weights is not installed.
        ConfigError: an impossible threshold, a device that is not there, or a device for a model that is built already.
    """
    if not 0 < threshold < 1:
        raise ConfigError(f"threshold is {threshold}; give a number between 0 and 1")
    if model is not None and device is not None:
        raise ConfigError("a model that is built runs where it is: device has no meaning for it")
    place = find_device(device or "cpu")
    with open_video(_local(path)) as video:
        # A file that cannot be read is named before the network is built.
        network = model or essmc_core.build_model("transnetv2", pretrained=True).to(place)
        found = probabilities_of(small_frames(video), network, progress and _of(progress, len(video)))
        return shots_of(found, threshold, video.times, video.duration)


def small_frames(video: VideoReader) -> Iterator[Frames]:
    """Yields every frame of a video, squeezed to (27, 48, 3)."""
    for frame in video.iter_frames(range(len(video))):
        picture = Image.fromarray(np.ascontiguousarray(frame))
        # A gap of 3 between what is averaged and what is interpolated leaves no difference that can be seen.
        yield np.asarray(picture.resize(_SIZE, Image.Resampling.BICUBIC, reducing_gap=3.0))


def probabilities_of(
    frames: Iterable[Frames], model: TrainModule, progress: Callable[[int], None] | None = None
) -> NDArray[np.float32]:
    """Returns for each frame the probability that a transition happens there.

    Args:
        frames: each (27, 48, 3), RGB from 0 to 255, in order.
        model: as ``transnetv2``; its mode is restored.
        progress: is called with the number of frames done.

    Returns:
        (frames,).
    """
    parameter = next(model.parameters())
    at_once = 1 if parameter.device.type == "cpu" else _WINDOWS_AT_ONCE
    found, done = [np.zeros(0, np.float32)], 0
    modes = {part: part.training for part in model.modules()}
    model.eval()
    try:
        for group in _groups(windows_of(frames), at_once):
            clips = torch.from_numpy(np.stack([window for window, _ in group])).permute(0, 4, 1, 2, 3)
            judged = _judge(model, clips.to(parameter.device)).cpu().numpy()
            parts = [row[CONTEXT : CONTEXT + count] for row, (_, count) in zip(judged, group, strict=True)]
            found += parts
            done += sum(map(len, parts))
            if progress is not None:
                progress(done)
    finally:
        for part, training in modes.items():
            part.training = training
    return np.concatenate(found)


def _judge(model: TrainModule, clips: Tensor) -> Tensor:
    with torch.inference_mode():
        found: Tensor = model(clips)["logits"]
    return found.float()


def _groups(windows: Iterator[tuple[Frames, int]], size: int) -> Iterator[Sequence[tuple[Frames, int]]]:
    while group := list(itertools.islice(windows, size)):
        yield group


def _of(progress: Progress, total: int) -> Callable[[int], None]:
    return lambda done: progress(done, total)


def _local(path: str | os.PathLike[str]) -> str | os.PathLike[str]:
    return find_package_file(path) if isinstance(path, str) and path.startswith("pkg://") else path
