"""Labelled videos: one item a video in training, one a view in evaluation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from essmc_core import Transform
from essmc_core.contract.annotations import PositiveInt
from essmc_core.errors import ConfigError
from essmc_data.arguments.rules import MOST_SPATIAL_CROPS, check_views
from essmc_data.datasets.base import BaseDataset, Mode, OnError
from essmc_data.errors import DatasetNotFound
from essmc_data.item import Item
from essmc_data.lists.labelled_list import label_tensor
from essmc_data.sampling.frame_samplers import RANDOM_CLIP
from essmc_data.transforms.auto_crop import CROP_MODES

_VIEWS = CROP_MODES[:MOST_SPATIAL_CROPS]


@dataclass(frozen=True, slots=True)
class Sample:
    """One file and its label.

    Attributes:
        path: relative to the dataset's folder.
        label: number of the class, or those of several; None where it is not known.
        meta: what else an item's ``meta`` says.
    """

    path: str
    label: int | tuple[int, ...] | None
    meta: dict[str, Any] | None = None


class VideoDataset(BaseDataset):
    """Videos and labels; decoding is the pipeline's job (`LoadVideoFromFile`).

    In training an item's clip is random. In evaluation each video occurs ``temporal_crops * spatial_crops`` times in a
    row: ``meta`` has ``clip_id``, ``num_clips``, ``crop_mode``, ``crop_id`` and ``num_crops`` for the loading and
    cropping transforms, and
    ``video_id`` to average the views of a video by.

    Args:
        data_root_dir: folder or URL of the videos.
        temporal_crops: clips of a video in evaluation.
        spatial_crops: crops of a clip in evaluation: ``cc``, ``ll``, ``rr``, then the corners; at most 7.
        fix_len: how many videos to use, from the first on; all by default.
        mode: see `BaseDataset`.
        pipeline: see `BaseDataset`.
        on_error: see `BaseDataset`.

    Raises:
        DatasetNotFound: there is nothing in the dataset.
        ConfigError: impossible numbers of crops.
    """

    modalities = ("video",)
    num_classes: int | None = None
    """How many classes there are, where videos have several labels."""

    def __init__(
        self,
        data_root_dir: str,
        temporal_crops: int = 1,
        spatial_crops: int = 1,
        fix_len: PositiveInt | None = None,
        mode: Mode = "test",
        pipeline: Sequence[Transform] | Transform | None = None,
        on_error: OnError = "stop",
    ) -> None:
        super().__init__(mode, pipeline, on_error)
        check_views(temporal_crops, spatial_crops)
        if fix_len is not None and fix_len < 1:
            raise ConfigError(f"fix_len={fix_len} must be at least 1.")
        self.data_root_dir = data_root_dir
        self.temporal_crops = temporal_crops
        self.spatial_crops = spatial_crops
        self.samples = self.read_samples()[:fix_len]
        if not self.samples:
            raise DatasetNotFound(f"{type(self).__name__} found no video for mode {mode} in {data_root_dir}.")

    @abstractmethod
    def read_samples(self) -> list[Sample]:
        """Returns all samples of the mode, and sets ``classes``."""

    @property
    def views(self) -> int:
        """Items of one video."""
        return 1 if self.mode == "train" else self.temporal_crops * self.spatial_crops

    def __len__(self) -> int:
        return len(self.samples) * self.views

    def describe(self, index: int) -> Item:
        """Returns the file, its view and its label."""
        video, view = divmod(index, self.views)
        sample = self.samples[video]
        clip_id, num_clips, crop = RANDOM_CLIP, 1, 0
        if self.mode != "train":
            num_clips = self.temporal_crops
            clip_id, crop = divmod(view, self.spatial_crops)
        meta = {
            "prefix": self.data_root_dir,
            "video_path": sample.path,
            "video_id": video,
            "clip_id": clip_id,
            "num_clips": num_clips,
            "crop_mode": _VIEWS[crop],
            "crop_id": crop,
            "num_crops": 1 if self.mode == "train" else self.spatial_crops,
            **(sample.meta or {}),
        }
        item: Item = {"meta": meta}
        if sample.label is not None:
            item["gt_label"] = label_tensor(sample.label, self.num_classes)
        return item


class AnnotatedVideoDataset(VideoDataset):
    """Videos whose split and labels stand in files of their own.

    Args:
        data_root_dir: folder or URL of the videos.
        annotation_dir: folder or URL of the annotation files.
        temporal_crops: see `VideoDataset`.
        spatial_crops: see `VideoDataset`.
        fix_len: see `VideoDataset`.
        mode: see `BaseDataset`.
        pipeline: see `BaseDataset`.
        on_error: see `BaseDataset`.
    """

    def __init__(
        self,
        data_root_dir: str,
        annotation_dir: str,
        temporal_crops: int = 1,
        spatial_crops: int = 1,
        fix_len: PositiveInt | None = None,
        mode: Mode = "test",
        pipeline: Sequence[Transform] | Transform | None = None,
        on_error: OnError = "stop",
    ) -> None:
        self.annotation_dir = annotation_dir
        super().__init__(data_root_dir, temporal_crops, spatial_crops, fix_len, mode, pipeline, on_error)
