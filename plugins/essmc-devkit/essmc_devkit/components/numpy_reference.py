"""Values of well-known losses and metrics, computed with numpy alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def loss_for(name: str) -> Callable[[Array, Array], float] | None:
    """Returns what computes the loss of that name for scores (N, K) and labels, None if unknown.

    Labels are class indices (N,), or targets (N, K).
    """
    known = {
        "crossentropy": cross_entropy,
        "binarycrossentropy": binary_cross_entropy,
        "bcewithlogits": binary_cross_entropy,
        "mse": mean_squared_error,
        "l1": mean_absolute_error,
    }
    return known.get(_folded(name).removesuffix("loss"))


def metric_for(name: str) -> Callable[[Array, Array], float] | None:
    """Returns what computes the metric of that name for scores (N, K) and class indices (N,), None if unknown."""
    return {"accuracy": accuracy, "top1accuracy": accuracy, "acc": accuracy}.get(_folded(name))


def cross_entropy(scores: Array, labels: Array) -> float:
    """Returns the mean of -log of the softmax at the true class."""
    exponents = np.exp(scores.astype(np.float64))
    likely = exponents / exponents.sum(1, keepdims=True)
    return float(-(_targets(scores, labels) * np.log(likely)).sum(1).mean())


def binary_cross_entropy(scores: Array, labels: Array) -> float:
    """Returns the mean over items and classes of the cross entropy of each class against the rest."""
    targets = _targets(scores, labels)
    likely = 1 / (1 + np.exp(-scores.astype(np.float64)))
    return float(-(targets * np.log(likely) + (1 - targets) * np.log(1 - likely)).mean())


def mean_squared_error(scores: Array, labels: Array) -> float:
    """Returns the mean of the squared differences."""
    return float(((scores.astype(np.float64) - _targets(scores, labels)) ** 2).mean())


def mean_absolute_error(scores: Array, labels: Array) -> float:
    """Returns the mean of the differences without their signs."""
    return float(np.abs(scores.astype(np.float64) - _targets(scores, labels)).mean())


def _targets(scores: Array, labels: Array) -> Array:
    """Returns one number for each class: labels as they are, or 1 at the class that an index names."""
    return labels if labels.shape == scores.shape else np.eye(scores.shape[1])[labels]


def accuracy(scores: Array, labels: Array) -> float:
    """Returns the share of items whose best score is that of the true class."""
    return float((scores.argmax(1) == labels).mean())


def _folded(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
