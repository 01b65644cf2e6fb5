"""The one reader of video files: what `predict`, `eval` and training see of a file is the same."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from essmc_core.inputs.video.opening import open_video as open_video
    from essmc_core.inputs.video.reader import VideoReader as VideoReader
    from essmc_core.inputs.video.spans import frames_beginning_within as frames_beginning_within
    from essmc_core.inputs.video.spans import frames_within as frames_within

_HOMES = {
    "VideoReader": "reader",
    "frames_beginning_within": "spans",
    "frames_within": "spans",
    "open_video": "opening",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
