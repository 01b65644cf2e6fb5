"""Writes the shipped clip, a digit that moves another way each second: ``python -m essmc_motion.example FILE``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

CLIP = Path(__file__).parent / "moving_digits.mp4"
FRAMES_PER_SECOND = 8
# (down, right) in pixels of the model's 32 x 32 picture for each frame; the third is what the centre of the clip shows.
MOTIONS = {"right 2": (0, 2), "static": (0, 0), "up 1": (-1, 0), "left 2": (0, -2), "down 1": (1, 0)}
_SIDE, _SCALE, _QUALITY = 32, 4, "12"


def write_clip(path: Path, motions: Sequence[tuple[int, int]] = tuple(MOTIONS.values()), digit: int = 0) -> None:
    """Writes an H.264 clip of 128 x 128 pixels.

    Args:
        path: the file; its suffix says the container.
        motions: velocity in each second.
        digit: which of the digits that training never sees.
    """
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options={"crf": _QUALITY})
        stream.width = stream.height = _SIDE * _SCALE
        stream.pix_fmt = "yuv420p"
        for picture in _frames(_picture(digit), motions):
            grey = picture.mul(255).round().byte().numpy()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="gray").reformat(format="yuv420p")))
        container.mux(stream.encode())


def _picture(digit: int) -> Tensor:
    """Returns a held-out digit on a black field (32, 32), in [0, 1]."""
    from essmc_data.datasets.moving_images import MovingImages
    from essmc_data.datasets.pictures import load_digits

    small = load_digits(_SIDE // 2)[MovingImages(mode="test").picture_ids[digit], 0]
    rest = _SIDE - len(small)
    return torch.nn.functional.pad(small, (rest // 2,) * 4)


def _frames(picture: Tensor, motions: Sequence[tuple[int, int]]) -> Iterator[Tensor]:
    for motion in motions:
        for _ in range(FRAMES_PER_SECOND):
            yield picture.repeat_interleave(_SCALE, 0).repeat_interleave(_SCALE, 1)
            picture = picture.roll(motion, (0, 1))


if __name__ == "__main__":
    write_clip(Path(sys.argv[1]) if len(sys.argv) > 1 else CLIP)
