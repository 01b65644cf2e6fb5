"""Lists of videos: a path and a label a line, or the annotation files of Kinetics."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from essmc_core import Transform
from essmc_data.datasets.base import Mode, OnError
from essmc_data.datasets.class_folders import distinct_names, shortened
from essmc_data.datasets.list_columns import Layout, Row, read_rows
from essmc_data.datasets.list_file import read_lines
from essmc_data.datasets.list_labels import Label, number_labels, whole_number
from essmc_data.datasets.video import Sample, VideoDataset
from essmc_data.errors import ListError

_logger = logging.getLogger("essmc_data")


class VideoCsv(VideoDataset):
    """Videos of a list file, of three forms that are told apart by its first line.

    - ``path label`` with a space, a tab, a comma or a semicolon between, without a header (PySlowFast, MMAction);
    - a header with columns ``path`` and ``label``, or other usual names of these; and ``total_frames`` of folders of
      frames, which goes to ``meta`` (see `LoadFramesFromFolder`);
    - Kinetics's own: ``label,youtube_id,time_start,time_end,split``; files are ``<class>/<id>_<start>_<end>.mp4`` with
      six digits for the seconds, or without a class's folder where ``class_folders`` is false.

    Cells may stand in double quotes, and must where the mark between cells is in them. ``# …`` is a comment. Labels are
    whole numbers (``3`` or ``3.0``), or names, which are numbered in the order of ``classes``. What can be read in no
    way or in two is refused, with the line.

    Args:
        csv_path: path or URL of the list, in UTF-8.
        data_root_dir: folder or URL that paths are relative to.
        classes: names of the classes in the order of their numbers; by default, names that occur, in alphabetical
            order. Give them where a split may lack a class.
        class_folders: whether the videos of a Kinetics list lie in folders of their classes.
        delimiter: ``comma``, ``tab``, ``semicolon`` or ``space``; by default the only one by which every line can be
            understood.
        columns: names of the columns of a list without a header, such as ``[path, total_frames, label]``: those other
            than ``path``, ``label`` and ``total_frames`` are left out. Or which columns of the header these are:
            ``{path: clip, label: action}``; others are left out.
        multi_label: whether a line may have several labels, ``path label label …`` or ``1|4`` in a column. Then
            ``gt_label`` is a float vector of one number a class, 1 for those that are true.
        num_classes: how many classes there are, for ``multi_label`` with numbers and without ``classes``.
        split: which rows to take of a list with a column ``split`` of several values.
        temporal_crops: see `VideoDataset`.
        spatial_crops: see `VideoDataset`.
        fix_len: see `VideoDataset`.
        mode: see `BaseDataset`.
        pipeline: see `BaseDataset`.
        on_error: see `BaseDataset`.

    Raises:
        DatasetNotFound: the list is missing.
        ListError: it is empty or cannot be understood, or a label is not among ``classes``.
        ConfigError: the arguments exclude each other.
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
        delimiter: str | None = None,
        columns: Sequence[str] | Mapping[str, str] | None = None,
        multi_label: bool = False,
        num_classes: int | None = None,
        split: str | None = None,
    ) -> None:
        self.csv_path = csv_path
        self._given_classes = None if classes is None else distinct_names(classes)
        self.classes_given = classes is not None
        self._class_folders = class_folders
        self._layout = Layout(delimiter, columns, multi_label)
        self._split = split
        self.num_classes = num_classes
        super().__init__(data_root_dir, temporal_crops, spatial_crops, fix_len, mode, pipeline, on_error)

    def read_samples(self) -> list[Sample]:
        """Returns the samples of the list."""
        rows = self._of_split(read_rows(read_lines(self.csv_path), self._layout))
        self.classes = self._given_classes or ()
        bare = [row for row in rows if not row.labels]
        if len(bare) == len(rows):
            samples = [self._sample(row, None) for row in rows]
        elif bare and not self._layout.multi_label:
            raise bare[0].line.error("There is no label, and other lines have one.")
        else:
            samples = self._labelled(rows)
        self._check_repeated(rows, samples)
        return samples

    def _labelled(self, rows: Sequence[Row]) -> list[Sample]:
        multi = self._layout.multi_label
        if not multi and (several := next((row for row in rows if len(row.labels) > 1), None)):
            raise several.line.error("There are several labels.", "multi_label: true takes them.")
        labels = [Label(row.line, text) for row in rows for text in row.labels]
        self.classes, numbers = number_labels(labels, self._given_classes)
        if not multi:
            return [self._sample(row, number) for row, number in zip(rows, numbers, strict=True)]
        self.num_classes = len(self.classes) or self.num_classes
        if self.num_classes is None:
            raise ListError(f"{self.csv_path} numbers its labels: of how many classes?", hint="num_classes: 80")
        for label, number in zip(labels, numbers, strict=True):
            if number >= self.num_classes:
                raise label.place.error(f"There is label {number}, and there are {self.num_classes} classes.")
        rest = iter(numbers)
        return [self._sample(row, tuple(next(rest) for _ in row.labels)) for row in rows]

    def _sample(self, row: Row, label: int | tuple[int, ...] | None) -> Sample:
        path = row.path or self._kinetics_path(row)
        return Sample(path, label, None if row.total is None else {"total_frames": row.total})

    def _of_split(self, rows: Sequence[Row]) -> Sequence[Row]:
        found = sorted({row.cells["split"] for row in rows if "split" in row.cells})
        if self._split is None:
            if len(found) > 1:
                names = shortened(found)
                raise ListError(f"{self.csv_path} has rows of several splits: {names}.", hint=f"split: {found[-1]}")
            return rows
        taken = [row for row in rows if row.cells.get("split") == self._split]
        if not taken:
            raise ListError(
                f"{self.csv_path} has no row of split {self._split!r}: it has {shortened(found) or 'none'}."
            )
        return taken

    def _kinetics_path(self, row: Row) -> str:
        label = row.labels[0] if row.labels else None
        start, end = (whole_number(row.cells.get(key, "")) for key in ("time_start", "time_end"))
        name = row.cells["youtube_id"]
        if start is None or end is None or not 0 <= start < end or not name:
            raise row.line.error(f"No youtube_id, or no times in whole seconds: {row.line.text!r}.")
        file = f"{name}_{start:06d}_{end:06d}.mp4"
        return f"{label}/{file}" if label and self._class_folders else file

    def _check_repeated(self, rows: Sequence[Row], samples: Sequence[Sample]) -> None:
        """Refuses a path with two labels; tells of paths that are listed more than once."""
        seen: dict[str, int] = {}
        repeated = []
        for place, sample in enumerate(samples):
            before = seen.setdefault(sample.path, place)
            if samples[before].label != sample.label:
                line = rows[before].line.number
                raise rows[place].line.error(f"{sample.path} has another label at line {line}.")
            if before != place:
                repeated.append(sample.path)
        if repeated:
            _logger.warning("%s lists %d paths again: %s", self.csv_path, len(repeated), shortened(repeated))
