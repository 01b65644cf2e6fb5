"""Which stream of a container is the video."""

from __future__ import annotations

from typing import Any

from essmc_core.errors import UnreadableInput

_PLAYLISTS = frozenset({"hls", "dash", "concat", "sdp", "imf", "rtsp", "lavfi"})
"""What names other files or computes pictures: reading it would open what nobody asked for."""
_PICTURE_BRANDS = frozenset({"avif", "heic", "heix", "mif1"})
_LARGEST_PIXELS = 1 << 27
"""Pixels of a frame, as of 16K video; a header of a few bytes can claim any."""


def choose_stream(container: Any, path: str) -> Any:
    """Returns the stream that a player shows.

    Pictures that accompany sound (cover art, thumbnails of chapters) are no videos. Of several videos it is the one
    that is marked as the default, then one of several frames, then the one with the largest picture, then the first.

    Raises:
        UnreadableInput: there is no video, or none that FFmpeg can decode.
    """
    name = container.format.name
    if _PLAYLISTS.intersection(name.split(",")):
        raise UnreadableInput(f"{path} is a playlist ({name}), not a video.", hint="Name the file that it leads to.")
    # FFmpeg reads a picture as a video of one frame.
    if name == "image2" or name.endswith("_pipe"):
        hint = "Moving WebP pictures are not read; save them as GIF or MP4." if name == "webp_pipe" else ""
        raise UnreadableInput(f"{path} is an image, not a video.", hint=hint)
    streams = list(container.streams.video)
    moving = [stream for stream in streams if not _marked(stream, "attached_pic", "timed_thumbnails", "still_image")]
    if not moving:
        only = ": only a cover picture" if streams else ""
        raise UnreadableInput(f"{path} has no video in it{only}.")
    brand = container.metadata.get("major_brand", "")
    if brand in _PICTURE_BRANDS and all(stream.frames <= 1 for stream in moving):
        raise UnreadableInput(f"{path} is an image, not a video.")
    decodable = [stream for stream in moving if stream.codec_context is not None]
    if not decodable:
        raise UnreadableInput(f"FFmpeg has no decoder for the video in {path}.")
    chosen = max(decodable, key=_preference)
    if _pixels(chosen) > _LARGEST_PIXELS:
        size = f"{chosen.codec_context.width}x{chosen.codec_context.height}"
        raise UnreadableInput(
            f"{path} claims frames of {size} pixels, more than the {_LARGEST_PIXELS:,} that are read."
        )
    return chosen


def _preference(stream: Any) -> tuple[bool, bool, int, int]:
    # A moving picture comes with a still one, for those who cannot show it.
    return _marked(stream, "default"), stream.frames != 1, _pixels(stream), -stream.index


def _marked(stream: Any, *names: str) -> bool:
    # Old versions of PyAV do not expose it.
    disposition = getattr(stream, "disposition", None)
    flags = [getattr(type(disposition), name, None) for name in names]
    return disposition is not None and any(flag is not None and bool(disposition & flag) for flag in flags)


def _pixels(stream: Any) -> int:
    return int(stream.codec_context.width or 0) * int(stream.codec_context.height or 0)
