"""The core's protocol of readers, under the name that this pack had for it."""

from __future__ import annotations

from essmc_core.inputs.video.reader import Frame as Frame
from essmc_core.inputs.video.reader import VideoReader as VideoReader
