"""Lists of pictures: a path and a label a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from essmc_core import Transform
from essmc_data.datasets.base import BaseDataset, Mode, OnError
from essmc_data.item import Item
from essmc_data.lists.class_names import distinct_names
from essmc_data.lists.columns import Layout
from essmc_data.lists.labelled_list import label_tensor, read_list


class ImageCsv(BaseDataset):
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

    modalities = ("image",)

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
        super().__init__(mode, pipeline, on_error)
        self.image_dir = image_dir
        self.classes_given = classes is not None
        given = None if classes is None else distinct_names(classes)
        read = read_list(csv_path, Layout(delimiter, columns, multi_label), given, num_classes, split)
        self.classes, self.num_classes = read.classes, read.num_classes
        paths = [row.path or row.line.text for row in read.rows]
        read.check_repeated(paths)
        self.samples = list(zip(paths, read.labels, strict=True))

    def __len__(self) -> int:
        return len(self.samples)

    def describe(self, index: int) -> Item:
        """Returns the file and its label."""
        path, label = self.samples[index]
        item: Item = {"meta": {"prefix": self.image_dir, "img_path": path}}
        if label is not None:
            item["gt_label"] = label_tensor(label, self.num_classes)
        return item
