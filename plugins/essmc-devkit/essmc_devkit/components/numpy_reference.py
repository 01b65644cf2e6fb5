"""Values of well-known losses and metrics, computed with numpy alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def loss_for(name: str) -> Callable[[Array, Array], float] | None:
    """Returns what computes the loss of that name for scores (N, K) and class indices (N,), None if unknown."""
    return {"crossentropy": cross_entropy, "crossentropyloss": cross_entropy}.get(_folded(name))


def metric_for(name: str) -> Callable[[Array, Array], float] | None:
    """Returns what computes the metric of that name for scores (N, K) and class indices (N,), None if unknown."""
    return {"accuracy": accuracy, "top1accuracy": accuracy, "acc": accuracy}.get(_folded(name))


def cross_entropy(scores: Array, labels: Array) -> float:
    """Returns the mean of -log of the softmax at the true class."""
    exponents = np.exp(scores.astype(np.float64))
    likely = exponents[np.arange(len(labels)), labels] / exponents.sum(1)
    return float(-np.log(likely).mean())


def accuracy(scores: Array, labels: Array) -> float:
    """Returns the share of items whose best score is that of the true class."""
    return float((scores.argmax(1) == labels).mean())


def _folded(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
