"""Lists of videos: a path and a label a line, or the annotation files of Kinetics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from essmc_core import Transform
from essmc_core.contract.annotations import PositiveInt
from essmc_data.datasets.base import Mode, OnError
from essmc_data.datasets.video import Sample, VideoDataset
from essmc_data.lists.columns import Row
from essmc_data.lists.labelled_list import ListReader
from essmc_data.lists.labels import whole_number


class VideoCsv(VideoDataset):
    """Videos of a list file, of one of three forms, recognised by its first line.

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
        fix_len: PositiveInt | None = None,
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
        self.classes_given = classes is not None
        self._class_folders = class_folders
        self._list = ListReader(csv_path, classes, delimiter, columns, multi_label, num_classes, split)
        super().__init__(data_root_dir, temporal_crops, spatial_crops, fix_len, mode, pipeline, on_error)

    def read_samples(self) -> list[Sample]:
        """Returns the samples of the list."""
        read = self._list.read()
        self.classes, self.num_classes = read.classes, read.num_classes
        paths = read.paths(lambda row: row.path or self._kinetics_path(row))
        totals = [None if row.total is None else {"total_frames": row.total} for row in read.rows]
        return [Sample(*parts) for parts in zip(paths, read.labels, totals, strict=True)]

    def _kinetics_path(self, row: Row) -> str:
        label = row.labels[0] if row.labels else None
        start, end = (whole_number(row.cells.get(key, "")) for key in ("time_start", "time_end"))
        name = row.cells["youtube_id"]
        if start is None or end is None or not 0 <= start < end or not name:
            raise row.line.error(f"No youtube_id, or no times in whole seconds: {row.line.text!r}.")
        file = f"{name}_{start:06d}_{end:06d}.mp4"
        return f"{label}/{file}" if label and self._class_folders else file
