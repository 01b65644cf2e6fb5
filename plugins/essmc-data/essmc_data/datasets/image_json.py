"""Pictures of a JSON list of paths and labels."""

from __future__ import annotations

from collections.abc import Sequence

from essmc_core import Transform
from essmc_data.datasets.base import Mode, OnError
from essmc_data.datasets.image import ImageDataset, Label
from essmc_data.errors import ListError
from essmc_data.files.opening import read_annotation
from essmc_data.lists.class_names import distinct_names
from essmc_data.lists.json_labels import read_labels
from essmc_data.lists.json_list import Entry, parse_json


class ImageClassifyJsonDataset(ImageDataset):
    """Pictures of a JSON list ``[{"img_path": …, "gt_label": …}, …]``; loading is the pipeline's job.

    Labels are whole numbers, or names, which are numbered in the order of ``classes``, else alphabetically; or lists of
    numbers, one a class. All entries have one, or none has.

    Args:
        json_path: path or URL of the list.
        image_dir: folder or URL that paths are relative to.
        classes: names of the classes in the order of their numbers; by default names that occur, in alphabetical order.
        mode: see `BaseDataset`.
        pipeline: see `BaseDataset`.
        on_error: see `BaseDataset`.

    Raises:
        DatasetNotFound: the list is missing.
        ListError: it is empty or cannot be understood, or a label is none of ``classes``.
    """

    def __init__(
        self,
        json_path: str,
        image_dir: str | None = None,
        classes: Sequence[str] | None = None,
        mode: Mode = "test",
        pipeline: Sequence[Transform] | Transform | None = None,
        on_error: OnError = "stop",
    ) -> None:
        self.json_path = json_path
        self.classes_given = classes is not None
        self._given_classes = None if classes is None else distinct_names(classes)
        super().__init__(image_dir, mode, pipeline, on_error)

    def read_samples(self) -> list[tuple[str, Label]]:
        """Returns the pictures of the list."""
        entries = parse_json(self.json_path, read_annotation(self.json_path))
        if not isinstance(entries, list) or not entries:
            raise ListError(f"{self.json_path} must be a list of {{img_path, gt_label}}, and not empty.")
        listed = [Entry(self.json_path, number, content) for number, content in enumerate(entries)]
        paths = [_path(entry) for entry in listed]
        self.classes, labels = read_labels(listed, self._given_classes)
        return list(zip(paths, [None] * len(paths) if labels is None else labels, strict=True))


def _path(entry: Entry) -> str:
    path = entry.content.get("img_path") if isinstance(entry.content, dict) else None
    if not isinstance(path, str) or not path:
        raise entry.error(f"has no img_path: {entry.content!r:.80}.")
    return path
