"""Lists of videos: a path and a label a line, or the annotation files of Kinetics."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import Any

from essmc_core import Transform
from essmc_core.errors import ConfigError
from essmc_data.datasets.base import Mode, OnError
from essmc_data.datasets.video import Sample, VideoDataset
from essmc_data.errors import DatasetNotFound
from essmc_data.sources import read_annotation

_PATHS = ("path", "video_path", "video", "file", "filename")
_LABELS = ("label", "gt_label", "class", "target")
_NO_LABEL = "A list without labels has a header `path` and no column for them."


class VideoCsv(VideoDataset):
    """Videos of a list file, of three forms that are told apart by its first line.

    - ``path label`` with a space, a tab, a comma or a semicolon between, without a header (PySlowFast, MMAction);
    - a header with the columns ``path`` and ``label``;
    - Kinetics's own: ``label,youtube_id,time_start,time_end,split``; files are ``<class>/<id>_<start>_<end>.mp4`` with
      six digits for the seconds, or without a class's folder where ``class_folders`` is false.

    Labels are numbers, or names, which are numbered in the order of ``classes``.

    Args:
        csv_path: path or URL of the list.
        data_root_dir: folder or URL that paths are relative to.
        classes: names of the classes in the order of their numbers; by default, names that occur, in alphabetical
            order. Give them where a split may lack a class.
        class_folders: whether the videos of a Kinetics list lie in folders of their classes.
        temporal_crops: see `VideoDataset`.
        spatial_crops: see `VideoDataset`.
        fix_len: see `VideoDataset`.
        mode: see `BaseDataset`.
        pipeline: see `BaseDataset`.
        on_error: see `BaseDataset`.

    Raises:
        DatasetNotFound: the list is missing, empty or cannot be understood.
        ConfigError: a label is not among ``classes``.
    """

    def __init__(
        self,
        csv_path: str,
        data_root_dir: str = "",
        classes: Sequence[str] | None = None,
        class_folders: bool = True,
        temporal_crops: int = 1,
        spatial_crops: int = 1,
        fix_len: int | None = None,
        mode: Mode = "test",
        pipeline: Sequence[Transform] | Transform | None = None,
        on_error: OnError = "stop",
    ) -> None:
        self.csv_path = csv_path
        self._given_classes = classes
        self._class_folders = class_folders
        super().__init__(data_root_dir, temporal_crops, spatial_crops, fix_len, mode, pipeline, on_error)

    def read_samples(self) -> list[Sample]:
        """Returns the samples of the list."""
        rows = self._rows()
        names = {label for _, label in rows if label is not None}
        if all(_is_number(name) for name in names):
            self.classes = tuple(self._given_classes or ())
            return [Sample(path, None if label is None else self._number(int(label))) for path, label in rows]
        self.classes = tuple(sorted(names) if self._given_classes is None else self._given_classes)
        numbers = {name: number for number, name in enumerate(self.classes)}
        if unknown := sorted(names - numbers.keys()):
            raise ConfigError(f"{self.csv_path} has labels that are not among the classes: {', '.join(unknown[:5])}.")
        return [Sample(path, None if label is None else numbers[label]) for path, label in rows]

    def _number(self, label: int) -> int:
        if label < 0:
            raise ConfigError(f"{self.csv_path} has label {label}; labels count from 0.", hint=_NO_LABEL)
        if self.classes and label >= len(self.classes):
            raise ConfigError(f"{self.csv_path} has label {label}, and there are {len(self.classes)} classes.")
        return label

    def _rows(self) -> list[tuple[str, str | None]]:
        lines = [line for line in read_annotation(self.csv_path).splitlines() if line.strip()]
        if not lines:
            raise DatasetNotFound(f"{self.csv_path} is empty.")
        delimiter = next((mark for mark in ("\t", ",", ";") if mark in lines[0]), " ")
        header = [cell.strip().lower() for cell in next(csv.reader(lines[:1], delimiter=delimiter))]
        if "youtube_id" in header:
            return [self._kinetics(row) for row in csv.DictReader(lines[1:], header, delimiter=delimiter)]
        path, label = (next((name for name in names if name in header), None) for names in (_PATHS, _LABELS))
        if path is not None:
            rows = csv.DictReader(lines[1:], header, delimiter=delimiter)
            return [(row[path].strip(), row[label].strip() if label and row[label] else None) for row in rows]
        return [self._pair(line, delimiter, number) for number, line in enumerate(lines, 1)]

    def _pair(self, line: str, delimiter: str, number: int) -> tuple[str, str | None]:
        # Paths may have spaces in them, labels of this form do not.
        path, mark, label = line.strip().rpartition(delimiter)
        if not mark or not label.strip():
            raise DatasetNotFound(f"{self.csv_path}:{number}: expected a path and a label, got {line!r}.")
        return path.strip().strip('"'), label.strip()

    def _kinetics(self, row: Mapping[str, Any]) -> tuple[str, str | None]:
        label = (row.get("label") or "").strip() or None
        try:
            start, end = (int(float(row[key])) for key in ("time_start", "time_end"))
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetNotFound(f"{self.csv_path} has no times for {row.get('youtube_id')!r}.") from error
        name = f"{row['youtube_id']}_{start:06d}_{end:06d}.mp4"
        return (f"{label}/{name}" if label and self._class_folders else name), label


def _is_number(name: str) -> bool:
    return name.removeprefix("-").isdigit()
