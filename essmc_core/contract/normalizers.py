"""What a loss divides by, so that the means of parts of a batch can be combined into the mean of the whole."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules import loss as torch_losses

Normalizer: TypeAlias = Tensor | float | None
"""A number above 0, or 0 if no item counts; None for a sum, which is not divided: its parts add up."""

_BY_LABEL = (nn.CrossEntropyLoss, nn.NLLLoss)
# Their means are not over elements, or depend on the composition of the batch.
_UNKNOWN = (nn.CTCLoss,)


def states_normalizer(loss: object) -> bool:
    """Returns whether the divisor of a loss is known: the loss states it, or it is one of torch's own."""
    return callable(getattr(loss, "normalizer", None)) or _torch_class(loss) is not None


def normalizer_of(loss: object, scores: Tensor, labels: Tensor) -> Normalizer:
    """Returns what a loss of a batch is divided by.

    A loss states it with a method ``normalizer(scores, labels)``: the number of items for a mean over items, the sum
    of their weights for a weighted mean, None for a sum. Torch's own losses are known. Any other is assumed to be a
    mean over items; see `states_normalizer`.

    Args:
        loss: the loss.
        scores: what it is called with, (N, K) or (N, K, …).
        labels: class indices (N, …), or targets.
    """
    stated = getattr(loss, "normalizer", None)
    if callable(stated):
        found: Normalizer = stated(scores, labels)
        return found
    if getattr(loss, "reduction", "mean") == "sum":
        return None
    if _torch_class(loss) in _BY_LABEL:
        weighted: Any = loss
        return cross_entropy_normalizer(scores, labels, weighted.weight, weighted.ignore_index)
    return float(len(scores))


def cross_entropy_normalizer(
    scores: Tensor, labels: Tensor, weight: Tensor | None = None, ignore_index: int = -100
) -> Tensor | float:
    """Returns what the mean of `torch.nn.functional.cross_entropy` is divided by.

    Args:
        scores: (N, K) or (N, K, …).
        labels: class indices (N, …), or class probabilities of the scores' shape.
        weight: one weight per class, whose sum over labels counts; it does not for class probabilities.
        ignore_index: label of items that do not count.
    """
    labels = as_targets(scores, labels)
    if labels.is_floating_point():
        return float(scores.numel() / scores.shape[min(1, scores.ndim - 1)])
    counts = labels != ignore_index
    if weight is None:
        return counts.sum()
    weights = weight.to(scores.dtype).float()[labels.where(counts, 0)]
    return (weights * counts).sum()


def cross_entropy(
    scores: Tensor,
    labels: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Returns torch's cross entropy; if no item counts, the mean is 0 with zero gradients instead of 0 / 0."""
    labels = as_targets(scores, labels)
    counts: Tensor | None = None
    if reduction == "mean" and not labels.is_floating_point():
        labels, counts = with_stand_ins(scores, labels, weight, ignore_index)
    loss = functional.cross_entropy(
        scores,
        labels,
        weight=None if weight is None else weight.to(scores.dtype),
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
    return loss if counts is None else loss * counts


def as_targets(scores: Tensor, labels: Tensor) -> Tensor:
    """Returns labels of any type as torch's cross entropy takes them: indices as int64, rows of classes as floats.

    Args:
        scores: (N, K) or (N, K, …).
        labels: class indices (N, …), or one number per class, of the scores' shape.
    """
    if labels.is_floating_point():
        return labels
    return labels.to(scores.dtype) if labels.ndim > 1 and labels.shape == scores.shape else labels.long()


def with_stand_ins(
    scores: Tensor, labels: Tensor, weight: Tensor | None = None, ignore_index: int = -100
) -> tuple[Tensor, Tensor]:
    """Replaces the labels of a batch in which no item counts, so that its mean is a number, to be multiplied by 0.

    Args:
        scores: (N, K) or (N, K, …).
        labels: class indices (N, …).
        weight: one weight per class.
        ignore_index: label of items that do not count.

    Returns:
        The labels, and whether any of them counts, a scalar.
    """
    counts = torch.as_tensor(cross_entropy_normalizer(scores, labels, weight, ignore_index)) != 0
    spare = torch.zeros_like(labels) if weight is None else weight.argmax().to(labels.dtype)
    return labels.where(counts, spare), counts


def _torch_class(loss: object) -> type | None:
    """Returns the class of torch that computes a loss, None if another one does."""
    kind = next((one for one in type(loss).__mro__ if one.__module__ == torch_losses.__name__), None)
    if kind is None or issubclass(kind, _UNKNOWN) or type(loss).forward is not kind.forward:  # type: ignore[attr-defined]
        return None
    return kind
