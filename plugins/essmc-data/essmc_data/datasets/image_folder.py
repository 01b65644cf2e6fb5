"""Pictures in folders named after their classes."""

from __future__ import annotations

from collections.abc import Sequence

from essmc_core import Transform
from essmc_core.inputs.media_files import IMAGE_SUFFIXES
from essmc_data.datasets.base import Mode, OnError
from essmc_data.datasets.class_folders import files_by_class
from essmc_data.datasets.image import ImageDataset, Label
from essmc_data.errors import DatasetNotFound


class ImageFolder(ImageDataset):
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

    def __init__(
        self,
        root_dir: str,
        classes: Sequence[str] | None = None,
        suffixes: Sequence[str] = IMAGE_SUFFIXES,
        mode: Mode = "test",
        pipeline: Sequence[Transform] | Transform | None = None,
        on_error: OnError = "stop",
    ) -> None:
        self.root_dir = root_dir
        self.classes_given = classes is not None
        self._given_classes = classes
        self._suffixes = tuple(suffixes)
        super().__init__(root_dir, mode, pipeline, on_error)

    def read_samples(self) -> list[tuple[str, Label]]:
        """Returns the pictures in the folder."""
        self.classes, labelled = files_by_class(self.root_dir, self._suffixes, self._given_classes)
        if not labelled:
            raise DatasetNotFound(f"There is no picture in the folders of {self.root_dir}.")
        return list(labelled)
