"""Readers: frames of a video by index, behind one protocol."""

from __future__ import annotations

from essmc_data.readers.opening import DECODERS as DECODERS
from essmc_data.readers.opening import open_video as open_video
from essmc_data.readers.reader import VideoReader as VideoReader
