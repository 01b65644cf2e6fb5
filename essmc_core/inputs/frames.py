"""Which frames of a video make up its clips."""

from __future__ import annotations

from essmc_core.inputs.spec import InputSpec


def clip_indices(total: int, spec: InputSpec) -> tuple[int, ...]:
    """Chooses ``spec.frames`` of ``total`` frames, in rising order.

    With sampling ``"stride"`` they are ``spec.stride`` apart and centred; where the video is too short, they begin at
    its first frame and its last frame is repeated. With ``"segment"`` they are the middles of equal segments.

    Args:
        total: frames in the video, at least 1.
        spec: of modality video.
    """
    count, stride = spec.frames or 1, spec.stride or 1
    if spec.sampling == "segment":
        return tuple((2 * segment + 1) * total // (2 * count) for segment in range(count))
    span = (count - 1) * stride + 1
    start = max(0, (total - span) // 2)
    return tuple(min(start + position * stride, total - 1) for position in range(count))


def view_indices(total: int, spec: InputSpec, views: int) -> list[tuple[int, ...]]:
    """Chooses the frames of several clips, each as `clip_indices` does; one is the central clip.

    With sampling ``"stride"`` they are spread from the first frame of the video to its last; with ``"segment"`` they
    are the middles of equal parts of each segment.

    Args:
        total: frames in the video, at least 1.
        spec: of modality video.
        views: how many clips.
    """
    if views == 1:
        return [clip_indices(total, spec)]
    count, stride = spec.frames or 1, spec.stride or 1
    if spec.sampling == "segment":
        parts = 2 * count * views
        return [
            tuple((2 * (segment * views + view) + 1) * total // parts for segment in range(count))
            for view in range(views)
        ]
    last_start = max(0, total - (count - 1) * stride - 1)
    starts = [view * last_start // (views - 1) for view in range(views)]
    return [tuple(min(start + position * stride, total - 1) for position in range(count)) for start in starts]
