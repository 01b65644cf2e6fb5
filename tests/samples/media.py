"""Videos and pictures that tests write: the encoding stands here, what is to be seen in them with each test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def write_frames(
    path: Path,
    pictures: Iterable[np.ndarray],
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: Any = 25,
    options: Mapping[str, str] | None = None,
    container_options: Mapping[str, str] | None = None,
    bit_rate: int | None = None,
    rotation: int = 0,
    shown_at: Callable[[int], int] | None = None,
) -> Path:
    """Encodes pictures as the frames of a video.

    Args:
        path: where to; folders above it are made.
        pictures: (H, W, 3), uint8, RGB.
        codec: FFmpeg's name of the encoder.
        pixels: FFmpeg's name of the pixel format.
        rate: frames per second, anything that a fraction is made of.
        options: of the encoder.
        container_options: of the container.
        bit_rate: bits per second.
        rotation: degrees by which players are to turn the video; the test is skipped where PyAV cannot write them.
        shown_at: when each frame is shown, in units of one over the rate; by default one after another.
    """
    av = pytest.importorskip("av")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=dict(container_options or {})) as container:
        stream = container.add_stream(codec, rate=Fraction(rate), options=dict(options or {}))
        stream.pix_fmt = pixels
        if bit_rate is not None:
            stream.bit_rate = bit_rate
        if rotation and not hasattr(stream, "set_display_rotation"):
            pytest.skip("this PyAV writes no rotation")
        if rotation:
            stream.set_display_rotation(rotation)
        if shown_at is not None:
            stream.codec_context.time_base = 1 / Fraction(rate)
        for number, picture in enumerate(pictures):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)
            if shown_at is not None:
                frame.pts, frame.time_base = shown_at(number), 1 / Fraction(rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_pixels(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    """Writes a picture; folders above it are made.

    Args:
        path: where to; its suffix is the format.
        pixels: (H, W, 3), uint8, RGB.
        **options: of Pillow's writer of that format.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path
