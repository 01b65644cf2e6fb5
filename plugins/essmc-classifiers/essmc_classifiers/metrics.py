"""Top-k accuracy, of single predictions and of predictions merged over the views of an item."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from essmc_core.contract.annotations import PositiveInt
from essmc_core.errors import ConfigError, InputError

if TYPE_CHECKING:
    import numpy as np


class Accuracy:
    """Share of items whose true class is among the k best scores, for each k.

    A k above the number of classes takes in all of them, so its accuracy is 1; that is reported, with one warning, and
    not left out. Of several true classes one among the k best is enough (hit@k).

    Args:
        topk: k, or several.
        ignore_index: class index of items that do not count; None counts all.

    Raises:
        ConfigError: a k below 1, or none.
    """

    def __init__(self, topk: PositiveInt | Sequence[PositiveInt] = (1,), ignore_index: int | None = -100) -> None:
        self.topk = (topk,) if isinstance(topk, int) else tuple(topk)
        self.ignore_index = ignore_index
        if not self.topk or min(self.topk) < 1:
            raise ConfigError(f"topk must be numbers of 1 or more, got {topk}")
        self._warned = False

    @torch.no_grad()
    def __call__(
        self, logits: Tensor | np.ndarray, labels: Tensor | np.ndarray, prefix: str = "acc"
    ) -> dict[str, Tensor]:
        """Returns ``{"acc@1": scalar, ...}``, each in [0, 1]; NaN where no item counts.

        Args:
            logits: scores or probabilities (N, K).
            labels: class indices (N,), or targets (N, K), in which the classes with the largest value of their row
                are the true ones; a row of zeros has none and counts as missed.
            prefix: what precedes ``@`` in the keys.

        Raises:
            InputError: the two shapes do not go together.
        """
        scores, targets = torch.as_tensor(logits), torch.as_tensor(labels)
        _check_shapes(scores, targets)
        num_classes = scores.shape[1]
        self._warn_above(num_classes)
        best = scores.topk(min(max(self.topk), num_classes), dim=1).indices
        if targets.ndim == 1:
            correct = best == targets[:, None]
        else:
            true = (targets == targets.amax(dim=1, keepdim=True)) & (targets > 0)
            correct = true.gather(1, best)
        counted = self.counted(targets)
        hits = {k: correct[:, :k].any(dim=1) for k in self.topk}
        if counted is None:
            return {f"{prefix}@{k}": hit.float().mean() for k, hit in hits.items()}
        return {f"{prefix}@{k}": (hit & counted).float().sum() / counted.sum() for k, hit in hits.items()}

    def counted(self, labels: Tensor) -> Tensor | None:
        """Returns which items count (N,), None where all do."""
        if self.ignore_index is None or labels.ndim != 1 or labels.is_floating_point():
            return None
        return labels != self.ignore_index

    def _warn_above(self, num_classes: int) -> None:
        above = [k for k in self.topk if k > num_classes]
        if above and not self._warned:
            self._warned = True
            warnings.warn(
                f"top-{above[0]} accuracy of {num_classes} classes is always 1; leave {above[0]} out of topk",
                stacklevel=3,
            )


def _check_shapes(scores: Tensor, targets: Tensor) -> None:
    if scores.ndim != 2 or targets.shape not in (scores.shape[:1], scores.shape):
        raise InputError(
            f"accuracy takes scores (N, K) with labels (N,) or (N, K), "
            f"got {tuple(scores.shape)} and {tuple(targets.shape)}"
        )


class EnsembleAccuracy:
    """Top-k accuracy of items after merging the scores of their views.

    Args:
        topk: k, or several.
        ensemble_method: ``avg`` or ``max`` over the views of an item.
        ignore_index: class index of items that do not count; None counts all.

    Raises:
        ConfigError: unknown method, or a k below 1.
    """

    def __init__(
        self,
        topk: PositiveInt | Sequence[PositiveInt] = (1,),
        ensemble_method: Literal["avg", "max"] = "avg",
        ignore_index: int | None = -100,
    ) -> None:
        if ensemble_method not in ("avg", "max"):
            raise ConfigError(f"ensemble_method is 'avg' or 'max', got {ensemble_method!r}")
        self.ensemble_method = ensemble_method
        self._accuracy = Accuracy(topk, ignore_index)
        self.topk = self._accuracy.topk

    @property
    def ignore_index(self) -> int | None:
        """Class index of items that do not count."""
        return self._accuracy.ignore_index

    @ignore_index.setter
    def ignore_index(self, index: int | None) -> None:
        self._accuracy.ignore_index = index

    @torch.no_grad()
    def __call__(
        self,
        logits: Tensor | np.ndarray,
        labels: Tensor | np.ndarray,
        keys: Sequence[Hashable] | Tensor | np.ndarray,
        prefix: str = "acc",
    ) -> dict[str, Tensor]:
        """Returns ``{"acc@1": scalar, ...}`` over items, each in [0, 1].

        Args:
            logits: scores or probabilities of all views (M, K).
            labels: of all views, (M,) or (M, K).
            keys: which item each view shows, M of them.
            prefix: what precedes ``@`` in the keys of the result.

        Raises:
            InputError: the lengths differ, or views of one item have different labels.
        """
        scores, targets = torch.as_tensor(logits), torch.as_tensor(labels)
        _check_shapes(scores, targets)
        items = _item_of_each_view(keys).to(scores.device)
        if len(items) != len(scores):
            raise InputError(f"ensemble_accuracy got {len(items)} keys for {len(scores)} views")
        count = int(items.max()) + 1 if len(items) else 0
        # The last view of an item to be written stands for all of them, if they agree.
        item_targets = targets.new_zeros((count, *targets.shape[1:])).index_copy(0, items, targets)
        if not torch.equal(item_targets[items], targets):
            raise InputError("views with the same key have different labels")
        return self._accuracy(self._merge(scores, items, count), item_targets, prefix)

    def _merge(self, scores: Tensor, items: Tensor, count: int) -> Tensor:
        reduce = "mean" if self.ensemble_method == "avg" else "amax"
        merged = scores.new_zeros((count, scores.shape[1]))
        return merged.scatter_reduce(0, items[:, None].expand_as(scores), scores, reduce, include_self=False)


def _item_of_each_view(keys: Sequence[Hashable] | Tensor | np.ndarray) -> Tensor:
    listed: Sequence[Hashable] = keys if isinstance(keys, (list, tuple)) else torch.as_tensor(keys).tolist()
    numbers: dict[Hashable, int] = {}
    return torch.tensor([numbers.setdefault(key, len(numbers)) for key in listed], dtype=torch.long)
