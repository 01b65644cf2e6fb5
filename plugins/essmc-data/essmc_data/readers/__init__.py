"""Readers: pictures, and frames of a video by number, of files and URLs."""

from __future__ import annotations

from essmc_core.inputs.video import VideoReader as VideoReader
from essmc_data.arguments.rules import DECODERS as DECODERS
from essmc_data.readers.videos import open_video as open_video
