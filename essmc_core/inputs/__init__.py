"""Inputs: from an image or video file to the tensor that a zoo model takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from essmc_core.foundation.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from essmc_core.inputs.clip import Views as Views
    from essmc_core.inputs.clip import load_clip as load_clip
    from essmc_core.inputs.clip import load_segments as load_segments
    from essmc_core.inputs.clip import load_views as load_views
    from essmc_core.inputs.image import load_image as load_image
    from essmc_core.inputs.spec import InputSpec as InputSpec

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "InputSpec": ".spec",
        "Views": ".clip",
        "load_clip": ".clip",
        "load_image": ".image",
        "load_segments": ".clip",
        "load_views": ".clip",
    },
)
