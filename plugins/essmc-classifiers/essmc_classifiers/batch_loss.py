"""The loss of a batch, which is 0 where no item counts."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from essmc_core.contract.normalizers import with_stand_ins


def loss_of(loss: Any, scores: Tensor, labels: Tensor) -> Tensor:
    """Returns a loss; torch's own cross entropy is 0 with gradients of 0, not 0 / 0, where all items are ignored.

    Args:
        loss: the loss.
        scores: raw scores (N, K).
        labels: class indices (N,), or targets (N, K).
    """
    found: Tensor
    if type(loss) is nn.CrossEntropyLoss and loss.reduction == "mean" and not labels.is_floating_point():
        labels, counts = with_stand_ins(scores, labels, loss.weight, loss.ignore_index)
        found = loss(scores, labels) * counts
    else:
        found = loss(scores, labels)
    return found
