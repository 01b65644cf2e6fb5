"""Inputs: from an image or video file to the tensor that a zoo model takes."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from essmc_core.inputs.clip import Views as Views
    from essmc_core.inputs.clip import load_clip as load_clip
    from essmc_core.inputs.clip import load_segments as load_segments
    from essmc_core.inputs.clip import load_views as load_views
    from essmc_core.inputs.image import load_image as load_image
    from essmc_core.inputs.spec import InputSpec as InputSpec

_HOMES = {
    "InputSpec": "spec",
    "Views": "clip",
    "load_clip": "clip",
    "load_image": "image",
    "load_segments": "clip",
    "load_views": "clip",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
