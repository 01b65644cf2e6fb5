"""Videos in folders named after their classes, as Kinetics is often laid out."""

from __future__ import annotations

from collections.abc import Sequence

from essmc_core import Transform
from essmc_core.contract.annotations import PositiveInt
from essmc_core.inputs.media_files import VIDEO_SUFFIXES
from essmc_data.datasets.base import Mode, OnError
from essmc_data.datasets.class_folders import files_by_class
from essmc_data.datasets.video import Sample, VideoDataset


class VideoFolder(VideoDataset):
    """Videos at ``<class>/…/<name>.<suffix>``; classes are numbered in alphabetical order.

    Hidden files, what systems leave behind (``__MACOSX``, ``Thumbs.db``) and folders without a video are no classes.

    Args:
        data_root_dir: folder or URL of one split, e.g. ``kinetics400/train``.
        classes: names of the classes in the order of their numbers; by default those that have a folder. Give them
            where a split may lack a class.
        suffixes: of the videos' names.
        temporal_crops: see `VideoDataset`.
        spatial_crops: see `VideoDataset`.
        fix_len: see `VideoDataset`.
        mode: see `BaseDataset`.
        pipeline: see `BaseDataset`.
        on_error: see `BaseDataset`.

    Raises:
        DatasetNotFound: there is no such folder, or no video in it.
        ConfigError: a folder is not among ``classes``.
    """

    def __init__(
        self,
        data_root_dir: str,
        classes: Sequence[str] | None = None,
        suffixes: Sequence[str] = VIDEO_SUFFIXES,
        temporal_crops: int = 1,
        spatial_crops: int = 1,
        fix_len: PositiveInt | None = None,
        mode: Mode = "test",
        pipeline: Sequence[Transform] | Transform | None = None,
        on_error: OnError = "stop",
    ) -> None:
        self._given_classes = classes
        self.classes_given = classes is not None
        self._suffixes = tuple(suffixes)
        super().__init__(data_root_dir, temporal_crops, spatial_crops, fix_len, mode, pipeline, on_error)

    def read_samples(self) -> list[Sample]:
        """Returns the videos in the folder."""
        self.classes, labelled = files_by_class(self.data_root_dir, self._suffixes, self._given_classes)
        return [Sample(path, label) for path, label in labelled]
