"""Reading clips from folders of frames that were extracted to pictures."""

from __future__ import annotations

from typing import Literal

from essmc_data.arguments.rules import check_frame_rate
from essmc_data.errors import UnreadableInput
from essmc_data.item import Item, path_of
from essmc_data.readers.frames_folder import FramesReader
from essmc_data.transforms.load_video import LoadVideoFromFile


class LoadFramesFromFolder(LoadVideoFromFile):
    """Reads ``meta.video_path`` (below ``meta.prefix``), a folder of pictures, into ``video``: uint8 (T, H, W, C).

    Which clip is read is chosen as by `LoadVideoFromFile`. Where ``meta`` has ``total_frames``, as a list of folders
    says it, the clip is taken from so many frames, and fewer pictures are an input that cannot be read.

    Args:
        num_frames: frames of the clip.
        sample_type: a frame sampler.
        clip_duration: see `LoadVideoFromFile`.
        fps: frames per second at which they were extracted.
        suffix: of the pictures' names, which are frames in natural order.

    Raises:
        ConfigError: ``interval`` without ``clip_duration``, or a rate that is not above 0.
        UnreadableInput: the folder is missing or lacks pictures, or one of them is damaged.
    """

    def __init__(
        self,
        num_frames: int,
        sample_type: Literal["interval", "uniform", "segment"] = "interval",
        clip_duration: float | None = None,
        fps: float = 30.0,
        suffix: str = ".jpg",
    ) -> None:
        super().__init__(num_frames, sample_type, clip_duration)
        check_frame_rate(fps)
        self.fps = fps
        self.suffix = suffix

    def __call__(self, item: Item) -> Item:
        """Returns a new item."""
        with FramesReader(path_of(item, "video_path"), self.fps, self.suffix) as reader:
            total = item["meta"].get("total_frames") or len(reader)
            if total > len(reader):
                raise UnreadableInput(f"{reader.path} has {len(reader)} frames, and its list says {total}.")
            try:
                chosen = self.indices(total, self.fps, item["meta"])
            except ValueError as error:
                raise UnreadableInput(f"{reader.path} has not the clip that is asked for: {error}.") from error
            return {**item, "video": reader.sample_frames(chosen)}
