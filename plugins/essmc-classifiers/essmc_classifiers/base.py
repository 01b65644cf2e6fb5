"""What all classifiers share: their parts, their activation, and the frozen batch norms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from essmc_classifiers.frozen_batch_norm import freeze_batch_norms
from essmc_core import BACKBONES, HEADS, LOSSES, METRICS, NECKS, Backbone, Head, Loss, Neck, TrainModule
from essmc_core.errors import ConfigError

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
        ConfigError: unknown activation, or no head.
    """

    def __init__(
        self,
        backbone: Backbone,
        neck: Neck | None = None,
        head: Head | None = None,
        loss: Loss | None = None,
        act_name: Literal["softmax", "sigmoid"] = "softmax",
        topk: Sequence[int] = (1,),
        freeze_bn: bool = False,
    ) -> None:
        super().__init__()
        if act_name not in DEFAULT_LOSS:
            raise ConfigError(f"act_name is 'softmax' or 'sigmoid', got {act_name!r}")
        if head is None:
            raise ConfigError(f"{type(self).__name__} needs a head", hint="e.g. {type: ClassifierHead, ...}")
        self.backbone: nn.Module = BACKBONES.build(backbone)
        self.neck: nn.Module = NECKS.build("Identity" if neck is None else neck)
        self.head: nn.Module = HEADS.build(head)
        self.loss: nn.Module = LOSSES.build(DEFAULT_LOSS[act_name] if loss is None else loss)
        self.metric: Callable[..., dict[str, Tensor]] = METRICS.build({"type": "accuracy", "topk": topk})
        self.act_name = act_name
        self.freeze_bn = freeze_bn
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Sets train or eval mode; frozen batch norms stay frozen."""
        super().train(mode)
        if self.freeze_bn:
            freeze_batch_norms(self)
        return self

    def raw_scores(self, inputs: Tensor) -> Any:
        """Returns what the head returns, before the activation."""
        return self.head(self.neck(self.backbone(inputs)))

    def activate(self, scores: Tensor) -> Tensor:
        """Returns probabilities (N, K) of raw scores (N, K)."""
        return scores.sigmoid() if self.act_name == "sigmoid" else torch.softmax(scores, dim=1)
