"""Which frames of a video make up the central clip."""

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
