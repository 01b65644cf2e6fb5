"""Labels that the model has classes for."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from essmc_solvers.data.class_names import class_names
from essmc_solvers.errors import DataError, LabelError


def class_counts(model: nn.Module) -> tuple[int, ...]:
    """Returns the number of classes of each of a model's outputs, empty where it does not say."""
    for owner in (model, getattr(model, "head", None)):
        count = getattr(owner, "num_classes", None)
        if isinstance(count, int):
            return (count,)
        if isinstance(count, Sequence) and not isinstance(count, str):
            return tuple(int(number) for number in count)
    return ()


def learns_gt_label(model: nn.Module) -> bool:
    """Returns whether a model is trained by ``gt_label``, not by a label of another name, as ``mosi_label``."""
    names = list(inspect.signature(getattr(model, "forward_train", model.forward)).parameters)
    return not any(name.endswith("_label") and name != "gt_label" for name in names)


class LabelCheck:
    """Checks labels while they are on the CPU; on accelerators a label out of range kills the process.

    Args:
        model: whose head has the number of classes. Labels of one that learns others than ``gt_label`` are not checked.

    Attributes:
        learns_indices: whether the model learns ``gt_label`` by one output, whose classes data sets name.
    """

    def __init__(self, model: nn.Module) -> None:
        self._counts = class_counts(model) if learns_gt_label(model) else ()
        self.learns_indices = learns_gt_label(model) and len(self._counts) <= 1
        self._ignored = getattr(getattr(model, "loss", None), "ignore_index", None)

    @property
    def classes(self) -> int | None:
        """Classes of the model's only output, None where it has several or does not say."""
        return self._counts[0] if len(self._counts) == 1 else None

    def check_dataset(self, dataset: Any, name: str) -> None:
        """Checks that a dataset has no more classes than the head.

        Raises:
            DataError: it has.
        """
        have, want = self.classes, len(class_names(dataset))
        if have is None:
            return
        if want > have:
            raise DataError(
                f"the {name} data have {want} classes, the model's head has {have}",
                hint=f"Build the model with num_classes={want}.",
            )
        if name == "train" and 0 < want < have:
            warnings.warn(f"the model's head has {have} classes, the {name} data only {want}", stacklevel=2)

    def check_batch(self, labels: Any, describe: str) -> None:
        """Checks the labels of a batch.

        Args:
            labels: class indices (N,), or (N, number of outputs); anything else is let pass.
            describe: which batch, for the message.

        Raises:
            LabelError: a label has no class, or is no index.
        """
        if self._counts and isinstance(labels, (list, tuple)) and any(isinstance(label, str) for label in labels):
            raise LabelError(
                f"the labels of {describe} are text, {labels[0]!r} the first",
                hint="Labels are numbers of classes, 0 the first: the dataset has to look them up in its `classes`.",
            )
        if not isinstance(labels, Tensor) or not self._counts or labels.device.type != "cpu" or not labels.numel():
            return
        if labels.is_floating_point() and labels.ndim == 1 and len(self._counts) == 1 and self._counts[0] > 1:
            raise LabelError(
                f"the labels of {describe} are {labels.dtype} numbers, not indices of {self._counts[0]} classes",
                hint="Give gt_label as int64: torch.tensor(label), or labels.long().",
            )
        if labels.is_floating_point() or labels.dtype == torch.bool:
            return
        if labels.ndim == 1 and len(self._counts) == 1:
            self._check_column(labels, self._counts[0], describe)
        elif labels.ndim == 2 and labels.shape[1] == len(self._counts) > 1:
            for column, count in enumerate(self._counts):
                self._check_column(labels[:, column], count, describe)

    def _check_column(self, labels: Tensor, count: int, describe: str) -> None:
        low, high = (int(bound) for bound in labels.aminmax())
        if low >= 0 and high < count:
            return
        wrong = (labels < 0) | (labels >= count)
        if self._ignored is not None:
            wrong &= labels != self._ignored
        if wrong.any():
            row = int(wrong.nonzero()[0])
            label = int(labels[row])
            hint = "Labels count from 0; num_classes of the model must be above the largest."
            if label < 0 and label != self._ignored:
                hint += f" Is it to be left out? Then the loss has to say so: ignore_index: {label}."
            raise LabelError(
                f"item {row} of {describe} has the label {label}, but the model's classes are 0 to {count - 1}",
                hint=hint,
            )
