"""Labelled pictures: from a JSON list, or from folders named after their classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from essmc_core import Transform
from essmc_core.inputs.media_files import IMAGE_SUFFIXES
from essmc_data.datasets.base import BaseDataset, Mode, OnError
from essmc_data.datasets.class_folders import files_by_class
from essmc_data.errors import DatasetNotFound, ListError
from essmc_data.files.opening import read_annotation
from essmc_data.item import Item
from essmc_data.lists.class_names import distinct_names
from essmc_data.lists.json_labels import read_labels
from essmc_data.lists.json_list import Entry, parse_json


class ImageClassifyJsonDataset(BaseDataset):
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

    modalities = ("image",)

    def __init__(
        self,
        json_path: str,
        image_dir: str | None = None,
        classes: Sequence[str] | None = None,
        mode: Mode = "test",
        pipeline: Sequence[Transform] | Transform | None = None,
        on_error: OnError = "stop",
    ) -> None:
        super().__init__(mode, pipeline, on_error)
        self.image_dir = image_dir
        self.classes_given = classes is not None
        entries = parse_json(json_path, read_annotation(json_path))
        if not isinstance(entries, list) or not entries:
            raise ListError(f"{json_path} must be a list of {{img_path, gt_label}}, and not empty.")
        listed = [Entry(json_path, number, content) for number, content in enumerate(entries)]
        for entry in listed:
            path = entry.content.get("img_path") if isinstance(entry.content, dict) else None
            if not isinstance(path, str) or not path:
                raise entry.error(f"has no img_path: {entry.content!r:.80}.")
        self.classes, labels = read_labels(listed, None if classes is None else distinct_names(classes))
        bare = [{key: entry[key] for key in entry if key != "gt_label"} for entry in entries]
        self.samples: list[dict[str, Any]] = (
            bare
            if labels is None
            else [{**entry, "gt_label": label} for entry, label in zip(bare, labels, strict=True)]
        )

    def __len__(self) -> int:
        return len(self.samples)

    def describe(self, index: int) -> Item:
        """Returns the file and its label."""
        sample = self.samples[index]
        item: Item = {"meta": {"prefix": self.image_dir, "img_path": sample["img_path"]}}
        if "gt_label" in sample:
            item["gt_label"] = torch.as_tensor(sample["gt_label"])
        return item


class ImageFolder(BaseDataset):
    """Pictures at ``<class>/…/<name>.<suffix>``; classes are numbered in alphabetical order.

    Hidden files, what systems leave behind (``__MACOSX``, ``Thumbs.db``) and folders without a picture are no classes.

    Args:
        root_dir: folder or URL.
        classes: names of the classes in the order of their numbers; by default those that have a folder.
        suffixes: of the pictures' names.
        mode: see `BaseDataset`.
        pipeline: see `BaseDataset`.
        on_error: see `BaseDataset`.

    Raises:
        DatasetNotFound: there is no such folder, or no picture in it.
        ConfigError: a folder is not among ``classes``.
    """

    modalities = ("image",)

    def __init__(
        self,
        root_dir: str,
        classes: Sequence[str] | None = None,
        suffixes: Sequence[str] = IMAGE_SUFFIXES,
        mode: Mode = "test",
        pipeline: Sequence[Transform] | Transform | None = None,
        on_error: OnError = "stop",
    ) -> None:
        super().__init__(mode, pipeline, on_error)
        self.root_dir = root_dir
        self.classes_given = classes is not None
        self.classes, self.samples = files_by_class(root_dir, tuple(suffixes), classes)
        if not self.samples:
            raise DatasetNotFound(f"There is no picture in the folders of {root_dir}.")

    def __len__(self) -> int:
        return len(self.samples)

    def describe(self, index: int) -> Item:
        """Returns the file and its label."""
        path, label = self.samples[index]
        return {"meta": {"prefix": self.root_dir, "img_path": path}, "gt_label": torch.tensor(label)}
