"""What all classifiers share: their parts, their activation, and the frozen batch norms."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from essmc_classifiers.batch_loss import loss_of
from essmc_classifiers.frozen_batch_norm import freeze_batch_norms
from essmc_core import BACKBONES, HEADS, LOSSES, METRICS, NECKS, Backbone, Head, Loss, Neck, TrainModule
from essmc_core.building.build import build_beside
from essmc_core.contract.annotations import PositiveInt
from essmc_core.contract.normalizers import normalizer_of
from essmc_core.contract.recording import is_recorded
from essmc_core.errors import ConfigError, InputError

if TYPE_CHECKING:
    from typing_extensions import Self

DEFAULT_LOSS = {"softmax": "CrossEntropy", "sigmoid": "BinaryCrossEntropy"}


class BaseClassifier(TrainModule):
    """Backbone, neck and head, followed by an activation of the scores.

    Args:
        backbone: from inputs to features.
        neck: from features to what the head takes; passes them on by default.
        head: from features to raw scores.
        loss: of raw scores and labels; ``CrossEntropy`` for softmax and ``BinaryCrossEntropy`` for sigmoid by default.
        act_name: ``softmax`` over classes, or ``sigmoid`` per class for several labels per item.
        topk: the k of the accuracies.
        freeze_bn: keep statistics, scale and shift of all batch norms as they are, in train mode too.

    Raises:
        ConfigError: unknown activation, no head, or one for another number of labels.
    """

    tasks: ClassVar[int | None] = None
    """How many labels an item has; None where that is up to the head."""

    def __init__(
        self,
        backbone: Backbone,
        neck: Neck | None = None,
        head: Head | None = None,
        loss: Loss | None = None,
        act_name: Literal["softmax", "sigmoid"] = "softmax",
        topk: Sequence[PositiveInt] = (1,),
        freeze_bn: bool = False,
    ) -> None:
        super().__init__()
        if act_name not in DEFAULT_LOSS:
            raise ConfigError(f"act_name is 'softmax' or 'sigmoid', got {act_name!r}")
        if head is None:
            raise ConfigError(f"{type(self).__name__} needs a head", hint="e.g. {type: ClassifierHead, ...}")
        self.backbone: nn.Module = BACKBONES.build(backbone)
        self.neck: nn.Module = build_beside(NECKS, "Identity" if neck is None else neck, self.backbone)
        self.head: nn.Module = build_beside(HEADS, head, self.backbone, self.neck)
        self._check_tasks()
        self.loss: nn.Module = LOSSES.build(DEFAULT_LOSS[act_name] if loss is None else loss)
        ignored = getattr(self.loss, "ignore_index", None)
        self.metric: Any = METRICS.build({"type": "accuracy", "topk": topk, "ignore_index": ignored})
        self.act_name = act_name
        self.freeze_bn = freeze_bn
        self._loss_is_left_out = False
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Sets train or eval mode; frozen batch norms stay frozen."""
        super().train(mode)
        if self.freeze_bn:
            freeze_batch_norms(self)
        return self

    def _check_tasks(self) -> None:
        counts = getattr(self.head, "num_classes", None)
        if self.tasks is None or counts is None or (1 if isinstance(counts, int) else len(counts)) == self.tasks:
            return
        kinds = ("one label", "VideoClassifierHead"), ("two labels", "VideoClassifierHeadx2")
        (labels, fitting), head = kinds[self.tasks - 1], type(self.head).__name__
        other = "VideoClassifier2x" if self.tasks == 1 else "VideoClassifier"
        raise ConfigError(
            f"{type(self).__name__} gives an item {labels}, and its head {head} has num_classes={counts}",
            hint=f"give it a head such as {fitting}, or use {head} in {other}",
        )

    def check_labels(self, scores: Tensor, labels: Tensor) -> None:
        """Refuses class indices that the scores have no column for.

        Only labels on the CPU are looked at, since reading those of an accelerator would wait for it, and none while
        the model is traced, exported or compiled.

        Args:
            scores: of one task, (N, K).
            labels: class indices (N,); any other shape passes.

        Raises:
            InputError: an index outside 0 to K - 1 that the loss does not ignore.
        """
        if is_recorded() or labels.device.type != "cpu":
            return
        if labels.ndim != 1 or labels.is_floating_point() or not len(labels):
            return
        least, most = (int(value) for value in labels.aminmax())
        if least >= 0 and most < scores.shape[1]:
            return
        wrong = set(labels.tolist()) - {*range(scores.shape[1]), getattr(self.loss, "ignore_index", None)}
        if wrong:
            classes = f"the head has {scores.shape[1]} classes, 0 to {scores.shape[1] - 1}"
            raise InputError(f"label {min(wrong)} is out of range: {classes}", hint="set the head's num_classes")

    def raw_scores(self, inputs: Tensor) -> Any:
        """Returns what the head returns, before the activation."""
        return self.head(self.neck(self.backbone(inputs)))

    def activate(self, scores: Tensor) -> Tensor:
        """Returns probabilities (N, K) of raw scores (N, K)."""
        return scores.sigmoid() if self.act_name == "sigmoid" else torch.softmax(scores, dim=1)

    def measure(
        self,
        scores: Sequence[Tensor],
        labels: Sequence[Tensor],
        tasks: Sequence[str] = ("",),
        judged: Sequence[Tensor] | None = None,
    ) -> dict[str, Any]:
        """Returns loss and accuracies of a batch, and what they were divided by where a solver wants to know.

        In eval mode a loss that does not go with the labels is left out, with one warning.

        Args:
            scores: raw scores (N, K) of each task.
            labels: class indices (N,), or targets (N, K), of each task.
            tasks: what to add to ``acc`` and ``loss`` for the names of each task's.
            judged: what accuracies are taken of; the scores by default.
        """
        losses = self._losses(scores, labels)
        outputs: dict[str, Any] = {"loss": sum(losses)} if losses else {}
        normalizers: dict[str, Any] = {}
        names = [f"loss{task}" for task in tasks]
        for task, one, targets in zip(tasks, scores if judged is None else judged, labels, strict=True):
            accuracies = self.metric(one, targets, prefix=f"acc{task}")
            counted = self.metric.counted(targets)
            outputs |= accuracies
            if counted is not None:
                normalizers |= dict.fromkeys(accuracies, counted.sum())
        if not self.tells_normalizers:
            return outputs
        if losses:
            divided = (normalizer_of(self.loss, *pair) for pair in zip(scores, labels, strict=True))
            normalizers |= dict(zip(names, divided, strict=True))
        if len(losses) > 1:
            outputs["loss_terms"] = dict(zip(names, losses, strict=True))
        return {**outputs, "normalizers": normalizers}

    def _losses(self, scores: Sequence[Tensor], labels: Sequence[Tensor]) -> list[Tensor]:
        pairs = list(zip(scores, labels, strict=True))
        if self.training:
            return [loss_of(self.loss, *pair) for pair in pairs]
        try:
            losses = [loss_of(self.loss, *pair) for pair in pairs]
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            # Training may have had soft labels, and evaluation has classes.
            if isinstance(error, torch.cuda.OutOfMemoryError):
                raise
            if not self._loss_is_left_out:
                self._loss_is_left_out = True
                cause = (str(error) or type(error).__name__).splitlines()[0]
                warnings.warn(f"there is no loss in eval mode: {type(self.loss).__name__} says {cause}", stacklevel=4)
            return []
        return losses if all(loss.ndim == 0 for loss in losses) else []
