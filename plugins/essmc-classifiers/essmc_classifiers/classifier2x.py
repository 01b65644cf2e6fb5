"""Classifier with two labels per clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor

from essmc_classifiers.base import BaseClassifier
from essmc_core.errors import InputError

_TASKS = ("_0", "_1")


class VideoClassifier2x(BaseClassifier):
    """Video classifier with a two-way head, e.g. for verbs and nouns: ``model(video)`` or ``model(video, gt_label)``.

    Clips alone give a dict of ``logits0`` and ``logits1``, which hold *probabilities*, in either mode. With labels
    eval mode adds ``batch_size``, ``loss``, the sum of both tasks', ``acc_0@k`` and ``acc_1@k``; train mode gives
    ``loss``, ``batch_size`` and the accuracies.

    Args:
        backbone: from clips to features.
        neck: from features to what the head takes; passes them on by default.
        head: from features to the raw scores of both tasks, e.g. ``VideoClassifierHeadx2``.
        loss: of raw scores and labels; ``CrossEntropy`` for softmax and ``BinaryCrossEntropy`` for sigmoid by default.
        act_name: ``softmax`` over classes, or ``sigmoid`` per class for several labels per clip and task.
        topk: the k of the accuracies.
        freeze_bn: keep statistics, scale and shift of all batch norms as they are, in train mode too.
    """

    tasks: ClassVar[int | None] = 2

    # Named inputs, so that torch.export can be told which of them is dynamic.
    def forward(self, video: Tensor, gt_label: Tensor | Sequence[Tensor] | None = None, **named_inputs: Any) -> Any:
        """Runs `forward_train` or `forward_test`, as ``self.training`` says."""
        return super().forward(video, gt_label, **named_inputs)

    def forward_train(
        self, video: Tensor, gt_label: Tensor | Sequence[Tensor] | None = None, meta: Any = None
    ) -> dict[str, Any]:
        """Runs in train mode.

        Args:
            video: (N, C, T, H, W).
            gt_label: class indices (N, 2), or the targets of both tasks in a pair.
            meta: what else a batch says of its items; not used.
        """
        scores = self.raw_scores(video)
        if gt_label is None:
            return self._probabilities(scores)
        labels = self._labels(scores, gt_label)
        return {"batch_size": video.shape[0], **self.measure(scores, labels, _TASKS)}

    def forward_test(
        self, video: Tensor, gt_label: Tensor | Sequence[Tensor] | None = None, meta: Any = None
    ) -> dict[str, Any]:
        """Runs in eval mode; arguments as in train mode."""
        scores = self.raw_scores(video)
        probabilities = self._probabilities(scores)
        if gt_label is None:
            return probabilities
        labels = self._labels(scores, gt_label)
        return {**probabilities, "batch_size": video.shape[0], **self.measure(scores, labels, _TASKS)}

    def _labels(self, scores: Sequence[Tensor], gt_label: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
        labels = _both(gt_label)
        for task_scores, task_labels in zip(scores, labels, strict=True):
            self.check_labels(task_scores, task_labels)
        return labels

    def _probabilities(self, scores: Sequence[Tensor]) -> dict[str, Any]:
        return {f"logits{task}": self.activate(task_scores) for task, task_scores in enumerate(scores)}


def _both(gt_label: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    labels = gt_label.unbind(1) if isinstance(gt_label, Tensor) and gt_label.ndim == 2 else gt_label
    if isinstance(labels, Tensor) or len(labels) != 2:
        shape = tuple(gt_label.shape) if isinstance(gt_label, Tensor) else f"{len(gt_label)} items"
        raise InputError(f"VideoClassifier2x takes labels of shape (N, 2), got {shape}")
    return labels
