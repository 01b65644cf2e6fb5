"""The core's tables of frames, under the name that this pack had for them."""

from __future__ import annotations

from essmc_core.inputs.video.frame_table import FrameTable as FrameTable
from essmc_core.inputs.video.frame_table import forget as forget
