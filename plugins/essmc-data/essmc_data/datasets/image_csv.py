"""Lists of pictures: a path and a label a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from essmc_core import Transform
from essmc_data.datasets.base import Mode, OnError
from essmc_data.datasets.image import ImageDataset, Label
from essmc_data.lists.labelled_list import ListReader


class ImageCsv(ImageDataset):
    """Pictures of a list file, as `VideoCsv` reads it: ``path label``, or columns with a header.

    Args:
        csv_path: path or URL of the list, in UTF-8.
        image_dir: folder or URL that paths are relative to.
        classes: see `VideoCsv`.
        delimiter: see `VideoCsv`.
        columns: see `VideoCsv`.
        multi_label: see `VideoCsv`.
        num_classes: see `VideoCsv`.
        split: see `VideoCsv`.
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
        image_dir: str | None = None,
        classes: Sequence[str] | None = None,
        delimiter: str | None = None,
        columns: Sequence[str] | Mapping[str, str] | None = None,
        multi_label: bool = False,
        num_classes: int | None = None,
        split: str | None = None,
        mode: Mode = "test",
        pipeline: Sequence[Transform] | Transform | None = None,
        on_error: OnError = "stop",
    ) -> None:
        self.classes_given = classes is not None
        self._list = ListReader(csv_path, classes, delimiter, columns, multi_label, num_classes, split)
        super().__init__(image_dir, mode, pipeline, on_error)

    def read_samples(self) -> list[tuple[str, Label]]:
        """Returns the pictures of the list."""
        read = self._list.read()
        self.classes, self.num_classes = read.classes, read.num_classes
        return list(zip(read.paths(lambda row: row.path or row.line.text), read.labels, strict=True))
