"""Labelled pictures: one item a picture."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from essmc_core import Transform
from essmc_data.datasets.base import BaseDataset, Mode, OnError
from essmc_data.item import Item
from essmc_data.lists.labelled_list import label_tensor

Label = int | tuple[int, ...] | list[float] | None
"""Number of a class, those of several, one number a class, or none."""


class ImageDataset(BaseDataset):
    """Pictures and labels; reading them is the pipeline's job (`LoadImageFromFile`).

    Args:
        image_dir: folder or URL that paths are relative to.
        mode: see `BaseDataset`.
        pipeline: see `BaseDataset`.
        on_error: see `BaseDataset`.
    """

    modalities = ("image",)
    num_classes: int | None = None
    """How many classes there are, where pictures have several labels."""

    def __init__(
        self,
        image_dir: str | None = None,
        mode: Mode = "test",
        pipeline: Sequence[Transform] | Transform | None = None,
        on_error: OnError = "stop",
    ) -> None:
        super().__init__(mode, pipeline, on_error)
        self.image_dir = image_dir
        self.samples = self.read_samples()

    @abstractmethod
    def read_samples(self) -> list[tuple[str, Label]]:
        """Returns path and label of all pictures, and sets ``classes``."""

    def __len__(self) -> int:
        return len(self.samples)

    def describe(self, index: int) -> Item:
        """Returns the file and its label."""
        path, label = self.samples[index]
        item: Item = {"meta": {"prefix": self.image_dir, "img_path": path}}
        if label is not None:
            item["gt_label"] = label_tensor(label, self.num_classes)
        return item
