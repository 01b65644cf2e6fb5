"""Losses of classifiers; each takes raw scores, before any activation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from essmc_core.contract.annotations import Probability
from essmc_core.contract.normalizers import Normalizer, cross_entropy, cross_entropy_normalizer
from essmc_core.errors import InputError


class CrossEntropy(nn.Module):
    """Cross entropy for one true class per item, as `torch.nn.CrossEntropyLoss`.

    Where all items are ignored it is 0, with gradients of 0.

    Args:
        weight: one weight per class. No part of the state dict, since the configuration holds it.
        ignore_index: label of items that do not count.
        reduction: ``mean``, ``sum`` or ``none``.
        label_smoothing: share of the target spread over all classes, in [0, 1].
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: Sequence[float] | None = None,
        ignore_index: int = -100,
        reduction: Literal["mean", "sum", "none"] = "mean",
        label_smoothing: Probability = 0.0,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", None if weight is None else torch.as_tensor(weight), persistent=False)
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Returns the loss.

        Args:
            scores: raw scores (N, K).
            labels: class indices (N,), or class probabilities (N, K).

        Raises:
            InputError: labels or class weights do not go with the scores.
        """
        _check(self, scores, labels, self.weight, "weight")
        return cross_entropy(
            scores, labels, self.weight, self.ignore_index, self.reduction, label_smoothing=self.label_smoothing
        )

    def normalizer(self, scores: Tensor, labels: Tensor) -> Normalizer:
        """Returns what the mean is divided by: the items that count, or the sum of their weights; None for a sum.

        Args:
            scores: raw scores (N, K).
            labels: class indices (N,), or class probabilities (N, K), which are divided by N whatever the weights.
        """
        if self.reduction == "sum":
            return None
        return cross_entropy_normalizer(scores, labels, self.weight, self.ignore_index)


class BinaryCrossEntropy(nn.Module):
    """Cross entropy of each class against the rest, for any number of true classes per item.

    Args:
        pos_weight: one weight per class for its positive items. No part of the state dict.
        reduction: ``mean`` over items and classes, ``sum`` or ``none``.
    """

    pos_weight: Tensor | None

    def __init__(
        self, pos_weight: Sequence[float] | None = None, reduction: Literal["mean", "sum", "none"] = "mean"
    ) -> None:
        super().__init__()
        weight = None if pos_weight is None else torch.as_tensor(pos_weight)
        self.register_buffer("pos_weight", weight, persistent=False)
        self.reduction = reduction

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Returns the loss.

        Args:
            scores: raw scores (N, K).
            labels: 0 or 1, or anything between, per class (N, K); or class indices (N,).

        Raises:
            InputError: labels or class weights do not go with the scores.
        """
        _check(self, scores, labels, self.pos_weight, "pos_weight")
        if labels.ndim == 1:
            labels = functional.one_hot(labels.long(), scores.shape[1])
        return functional.binary_cross_entropy_with_logits(
            scores,
            labels.to(scores.dtype),
            pos_weight=None if self.pos_weight is None else self.pos_weight.to(scores.dtype),
            reduction=self.reduction,
        )

    def normalizer(self, scores: Tensor, labels: Tensor) -> Normalizer:
        """Returns the number of items, over which the mean of each class is taken; None for a sum."""
        return None if self.reduction == "sum" else float(len(scores))


def _check(loss: nn.Module, scores: Tensor, labels: Tensor, weight: Tensor | None, name: str) -> None:
    if labels.shape not in (scores.shape, scores.shape[:1] + scores.shape[2:]):
        raise InputError(
            f"{type(loss).__name__} takes scores (N, K) with labels (N,) or (N, K), "
            f"got {tuple(scores.shape)} and {tuple(labels.shape)}"
        )
    fits = weight is None or len(weight) == scores.shape[1] or (name == "pos_weight" and len(weight) == 1)
    if weight is not None and not fits:
        raise InputError(
            f"{name} of {type(loss).__name__} has {len(weight)} numbers for {scores.shape[1]} classes",
            hint="Give one number a class.",
        )
