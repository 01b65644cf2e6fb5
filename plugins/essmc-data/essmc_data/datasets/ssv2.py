"""Something-Something V2: 174 actions with objects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from essmc_core import Transform
from essmc_data.datasets.base import Mode, OnError
from essmc_data.datasets.video import AnnotatedVideoDataset, Sample
from essmc_data.errors import DatasetNotFound
from essmc_data.sources import join, read_annotation

_FILES = {"train": "train", "eval": "validation", "test": "test"}


class SSV2(AnnotatedVideoDataset):
    """Something-Something V2 (Goyal et al., ICCV 2017): videos at ``<id>.<video_format>``.

    Args:
        data_root_dir: folder or URL of the videos.
        annotation_dir: folder or URL of ``something-something-v2-{labels,train,validation,test}.json``. Mode ``eval``
            reads the validation list; the test list, of mode ``test``, has no labels.
        video_format: the videos' suffix.
        temporal_crops: see `VideoDataset`.
        spatial_crops: see `VideoDataset`.
        fix_len: see `VideoDataset`.
        mode: see `BaseDataset`.
        pipeline: see `BaseDataset`.
        on_error: see `BaseDataset`.

    Raises:
        DatasetNotFound: an annotation file is missing or cannot be understood.
    """

    def __init__(
        self,
        data_root_dir: str,
        annotation_dir: str,
        video_format: str = "webm",
        temporal_crops: int = 1,
        spatial_crops: int = 1,
        fix_len: int | None = None,
        mode: Mode = "test",
        pipeline: Sequence[Transform] | Transform | None = None,
        on_error: OnError = "stop",
    ) -> None:
        self.video_format = video_format.lstrip(".")
        super().__init__(
            data_root_dir, annotation_dir, temporal_crops, spatial_crops, fix_len, mode, pipeline, on_error
        )

    def read_samples(self) -> list[Sample]:
        """Returns the samples of the mode."""
        labels = {name: int(number) for name, number in self._json("labels").items()}
        self.classes = tuple(sorted(labels, key=labels.__getitem__))
        return [self._sample(entry, labels) for entry in self._json(_FILES[self.mode])]

    def _sample(self, entry: dict[str, Any], labels: dict[str, int]) -> Sample:
        label = None
        if "template" in entry:
            template = entry["template"].replace("[", "").replace("]", "")
            if template not in labels:
                raise DatasetNotFound(f"Video {entry['id']} has a template that is not among the labels: {template!r}.")
            label = labels[template]
        return Sample(f"{entry['id']}.{self.video_format}", label, {"id": entry["id"]})

    def _json(self, name: str) -> Any:
        file = join(self.annotation_dir, f"something-something-v2-{name}.json")
        try:
            return json.loads(read_annotation(file))
        except json.JSONDecodeError as error:
            raise DatasetNotFound(f"{file} is not JSON: {error}.") from error
