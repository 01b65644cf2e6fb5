"""The one reader of video files: what `predict`, `eval` and training see of a file is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from essmc_core.foundation.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from essmc_core.inputs.video.opening import open_video as open_video
    from essmc_core.inputs.video.reader import VideoReader as VideoReader
    from essmc_core.inputs.video.spans import frames_beginning_within as frames_beginning_within
    from essmc_core.inputs.video.spans import frames_within as frames_within

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "VideoReader": ".reader",
        "frames_beginning_within": ".spans",
        "frames_within": ".spans",
        "open_video": ".opening",
    },
)
