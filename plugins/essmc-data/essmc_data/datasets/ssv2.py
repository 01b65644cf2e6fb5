"""Something-Something V2: 174 actions with objects."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from essmc_core import Transform
from essmc_core.contract.annotations import PositiveInt
from essmc_data.datasets.base import Mode, OnError
from essmc_data.datasets.video import AnnotatedVideoDataset, Sample
from essmc_data.errors import DatasetNotFound, ListError
from essmc_data.files.locations import is_url, join, local_path
from essmc_data.files.opening import read_annotation
from essmc_data.lists.json_list import Entry, parse_json
from essmc_data.lists.labels import whole_number

_FILES = {"train": "train", "eval": "validation", "test": "test"}
_NAMES = ("something-something-v2-{}.json", "20bn-something-something-v2-{}.json", "{}.json", "labels/{}.json")
"""Names that the files were published by; the first that is there counts."""


class SSV2(AnnotatedVideoDataset):
    """Something-Something V2 (Goyal et al., ICCV 2017): videos at ``<id>.<video_format>``.

    Args:
        data_root_dir: folder or URL of the videos.
        annotation_dir: folder or URL of ``something-something-v2-{labels,train,validation,test}.json``, of the same
            names with ``20bn-`` before or ``something-something-v2-`` left out, or of a folder ``labels`` with the
            latter. Mode ``eval`` reads the validation list; the test list, of mode ``test``, has no labels.
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
        fix_len: PositiveInt | None = None,
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
        file, labels = self._json("labels")
        numbers = [whole_number(str(number)) for number in labels.values()] if isinstance(labels, dict) else None
        if numbers is None:
            raise ListError(f"{file} must be a mapping of templates to numbers.")
        if sorted(number for number in numbers if number is not None) != list(range(len(numbers))):
            raise ListError(f"{file} does not number its templates from 0 to {len(numbers) - 1}.")
        by_template = {name: number for name, number in zip(labels, numbers, strict=True) if number is not None}
        self.classes = tuple(sorted(by_template, key=by_template.__getitem__))
        file, entries = self._json(_FILES[self.mode])
        if not isinstance(entries, list):
            raise ListError(f"{file} must be a list of {{id, template}}.")
        samples = [self._sample(Entry(file, number, entry), by_template) for number, entry in enumerate(entries)]
        if len({sample.label is None for sample in samples}) > 1:
            odd = next(number for number, sample in enumerate(samples) if sample.label is None)
            raise Entry(file, odd, None).error("has no template, and others have one.")
        return samples

    def _sample(self, entry: Entry, labels: Mapping[str, int]) -> Sample:
        content = entry.content
        if not isinstance(content, dict) or not isinstance(content.get("id"), (str, int)):
            raise entry.error("has no id.")
        label, template = None, content.get("template")
        if template is not None:
            name = template.replace("[", "").replace("]", "") if isinstance(template, str) else template
            if not isinstance(name, str) or name not in labels:
                raise entry.error(f"has a template that is not among the labels: {name!r:.80}.")
            label = labels[name]
        elif self.mode != "test":
            raise entry.error("has no template.")
        return Sample(f"{content['id']}.{self.video_format}", label, {"id": content["id"]})

    def _json(self, part: str) -> tuple[str, Any]:
        names = [pattern.format(part) for pattern in _NAMES]
        files = [join(self.annotation_dir, name) for name in names]
        for file in files:
            if is_url(file):
                with contextlib.suppress(DatasetNotFound):
                    return file, parse_json(file, read_annotation(file))
            elif local_path(file).exists():
                return file, parse_json(file, read_annotation(file))
        raise DatasetNotFound(f"{self.annotation_dir} has none of {', '.join(names)}.")
