"""Classifiers with one label per item."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from essmc_classifiers.base import BaseClassifier


class SingleHeadClassifier(BaseClassifier):
    """Base of classifiers whose head returns one tensor of scores (N, K)."""

    tasks: ClassVar[int | None] = 1

    def train_output(self, inputs: Tensor, gt_label: Tensor | None) -> Tensor | dict[str, Any]:
        """Returns loss and accuracies, or probabilities where there are no labels."""
        scores = self.raw_scores(inputs)
        if gt_label is None:
            return self.activate(scores)
        self.check_labels(scores, gt_label)
        return {"batch_size": inputs.shape[0], **self.measure([scores], [gt_label])}

    def test_output(self, inputs: Tensor, gt_label: Tensor | None) -> Tensor | dict[str, Any]:
        """Returns probabilities, with loss and accuracies where there are labels."""
        scores = self.raw_scores(inputs)
        probabilities = self.activate(scores)
        if gt_label is None:
            return probabilities
        self.check_labels(probabilities, gt_label)
        measured = self.measure([scores], [gt_label], judged=[probabilities])
        return {"logits": probabilities, "batch_size": inputs.shape[0], **measured}


class Classifier(SingleHeadClassifier):
    """Image classifier: ``model(img)`` or ``model(img, gt_label)``.

    In eval mode an image batch alone gives probabilities (N, K); with labels, a dict of ``logits``, ``batch_size``,
    ``loss`` and ``acc@k``. In train mode labels give a dict of ``loss``, ``batch_size`` and ``acc@k``; without,
    probabilities. The key ``logits`` holds *probabilities*, after the activation.

    Args:
        backbone: from images to features.
        neck: from features to what the head takes; passes them on by default.
        head: from features to raw scores.
        loss: of raw scores and labels; ``CrossEntropy`` for softmax and ``BinaryCrossEntropy`` for sigmoid by default.
        act_name: ``softmax`` over classes, or ``sigmoid`` per class for several labels per image.
        topk: the k of the accuracies.
        freeze_bn: keep statistics, scale and shift of all batch norms as they are, in train mode too.
    """

    # Named inputs, so that torch.export can be told which of them is dynamic.
    def forward(self, img: Tensor, gt_label: Tensor | None = None, **named_inputs: Any) -> Any:
        """Runs `forward_train` or `forward_test`, as ``self.training`` says."""
        return super().forward(img, gt_label, **named_inputs)

    def forward_train(self, img: Tensor, gt_label: Tensor | None = None, meta: Any = None) -> Tensor | dict[str, Any]:
        """Runs in train mode.

        Args:
            img: (N, C, H, W).
            gt_label: class indices (N,), or targets (N, K).
            meta: what else a batch says of its items; not used.
        """
        return self.train_output(img, gt_label)

    def forward_test(self, img: Tensor, gt_label: Tensor | None = None, meta: Any = None) -> Tensor | dict[str, Any]:
        """Runs in eval mode; arguments as in train mode."""
        return self.test_output(img, gt_label)


class VideoClassifier(SingleHeadClassifier):
    """Video classifier: ``model(video)`` or ``model(video, gt_label)``.

    In eval mode clips alone give probabilities (N, K); with labels, a dict of ``logits``, ``batch_size``, ``loss`` and
    ``acc@k``. In train mode labels give a dict of ``loss``, ``batch_size`` and ``acc@k``; without, probabilities. The
    key ``logits`` holds *probabilities*, after the activation.

    Args:
        backbone: from clips to features.
        neck: from features to what the head takes; passes them on by default.
        head: from features to raw scores.
        loss: of raw scores and labels; ``CrossEntropy`` for softmax and ``BinaryCrossEntropy`` for sigmoid by default.
        act_name: ``softmax`` over classes, or ``sigmoid`` per class for several labels per clip.
        topk: the k of the accuracies.
        freeze_bn: keep statistics, scale and shift of all batch norms as they are, in train mode too.
    """

    # Named inputs, so that torch.export can be told which of them is dynamic.
    def forward(self, video: Tensor, gt_label: Tensor | None = None, **named_inputs: Any) -> Any:
        """Runs `forward_train` or `forward_test`, as ``self.training`` says."""
        return super().forward(video, gt_label, **named_inputs)

    def forward_train(self, video: Tensor, gt_label: Tensor | None = None, meta: Any = None) -> Tensor | dict[str, Any]:
        """Runs in train mode.

        Args:
            video: (N, C, T, H, W).
            gt_label: class indices (N,), or targets (N, K).
            meta: what else a batch says of its items; not used.
        """
        return self.train_output(video, gt_label)

    def forward_test(self, video: Tensor, gt_label: Tensor | None = None, meta: Any = None) -> Tensor | dict[str, Any]:
        """Runs in eval mode; arguments as in train mode."""
        return self.test_output(video, gt_label)
