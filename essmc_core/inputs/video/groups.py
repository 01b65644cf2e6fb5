"""Groups of frames, as clips and segments are, in one pass over a video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from essmc_core.inputs.video.reader import Frame, VideoReader


def read_groups(reader: VideoReader, groups: Sequence[Sequence[int]]) -> Iterator[dict[int, Frame]]:
    """Yields the frames of each group by number; each is decoded once, and kept no longer than later groups need it.

    Args:
        reader: an open video.
        groups: frame numbers, none empty; no group begins before the one before it.

    Raises:
        UnreadableInput: a frame cannot be decoded.
    """
    wanted = sorted({index for group in groups for index in group})
    stream = zip(wanted, reader.iter_frames(wanted), strict=True)
    kept: dict[int, Frame] = {}
    for number, group in enumerate(groups):
        while max(group) not in kept:
            index, frame = next(stream)
            kept[index] = frame.copy()
        yield {index: kept[index] for index in group}
        if number + 1 < len(groups):
            begin = min(groups[number + 1])
            kept = {index: frame for index, frame in kept.items() if index >= begin}
