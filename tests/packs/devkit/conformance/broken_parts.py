"""Sound heads, losses, metrics, transforms and data sets, and others with one fault each, by the check for it."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from essmc_core.errors import InputError


class SoundHead(nn.Module):
    """A linear layer: (N, dim) → (N, num_classes).

    Args:
        dim: width of the features.
        num_classes: classes.
    """

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.dim, self.num_classes = dim, num_classes
        self.linear = nn.Linear(dim, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        if features.ndim != 2 or features.shape[1] != self.dim:
            raise InputError(f"expected features (N, {self.dim}), got {tuple(features.shape)}")
        found: Tensor = self.linear(features)
        return found


class OneClassMore(SoundHead):
    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__(dim, num_classes + 1)


class DropsInEvalMode(SoundHead):
    def forward(self, features: Tensor) -> Tensor:
        return nn.functional.dropout(super().forward(features), 0.5, True)


class DetachesScores(SoundHead):
    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features).detach()


class KeepsAnUnusedLayer(SoundHead):
    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__(dim, num_classes)
        self.unused = nn.Linear(dim, dim)


class StatesOtherClasses(SoundHead):
    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__(dim, num_classes)
        self.num_classes = 2 * num_classes


class RefusesNothing(SoundHead):
    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = self.linear(features)
        return found


class SoundLoss(nn.Module):
    """Cross entropy: (N, K) and (N,) → scalar.

    Args:
        ignore_index: label that does not count.
        reduction: ``mean``, ``sum`` or ``none``.
    """

    def __init__(self, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__()
        self.ignore_index, self.reduction = ignore_index, reduction

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        each = self.each(scores, labels)
        if self.reduction == "none":
            return each
        return each.sum() / (self.divisor(labels) if self.reduction == "mean" else 1)

    def each(self, scores: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(scores, labels, ignore_index=self.ignore_index, reduction="none")

    def divisor(self, labels: Tensor) -> Tensor:
        return (labels != self.ignore_index).sum().clamp(min=1)

    def normalizer(self, scores: Tensor, labels: Tensor) -> Any:
        return None if self.reduction == "sum" else self.divisor(labels)


class VectorLoss(SoundLoss):
    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        return self.each(scores, labels)


class DetachedLoss(SoundLoss):
    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        return super().forward(scores, labels).detach()


class CrossEntropyLoss(SoundLoss):
    """Its name says what it has to be, and it is not."""

    def each(self, scores: Tensor, labels: Tensor) -> Tensor:
        return 2 * super().each(scores, labels)


class FirstCountsDouble(SoundLoss):
    def each(self, scores: Tensor, labels: Tensor) -> Tensor:
        return super().each(scores, labels) * torch.tensor([2.0, *[1.0] * (len(labels) - 1)])


class CountsIgnored(SoundLoss):
    def divisor(self, labels: Tensor) -> Tensor:
        return torch.tensor(len(labels))


class NothingOverNothing(SoundLoss):
    def divisor(self, labels: Tensor) -> Tensor:
        return (labels != self.ignore_index).sum()


class ReplacesIgnoredLabels(SoundLoss):
    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        found = super().forward(scores, labels)
        labels[:] = labels.clamp(max=1)
        return found


class SumThatIsAMean(SoundLoss):
    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        return self.each(scores, labels).mean() if self.reduction == "sum" else super().forward(scores, labels)


class WrongDivisor(SoundLoss):
    def normalizer(self, scores: Tensor, labels: Tensor) -> Any:
        return 1.0 + len(labels) ** 2


class SoundMetric:
    """Accuracy: (N, K) and (N,) → scalar.

    Args:
        ignore_index: label that does not count.
    """

    def __init__(self, ignore_index: int = -100) -> None:
        self.ignore_index = ignore_index

    def __call__(self, scores: Tensor, labels: Tensor) -> dict[str, Any]:
        counted = labels != self.ignore_index
        return {"acc": (scores.argmax(1) == labels)[counted].float().mean()}


class Accuracy(SoundMetric):
    """Its name says what it has to be, and it is not."""

    def __call__(self, scores: Tensor, labels: Tensor) -> dict[str, Any]:
        return {"acc": 1 - super().__call__(scores, labels)["acc"]}


class ChangesLabels(SoundMetric):
    def __call__(self, scores: Tensor, labels: Tensor) -> dict[str, Any]:
        found = super().__call__(scores, labels)
        labels += 1
        return found


class KeepsGradient(SoundMetric):
    def __call__(self, scores: Tensor, labels: Tensor) -> dict[str, Any]:
        return {"margin": scores.max(1).values.mean()}


class Remembers(SoundMetric):
    seen = 0

    def __call__(self, scores: Tensor, labels: Tensor) -> dict[str, Any]:
        self.seen += 1
        return {"acc": super().__call__(scores, labels)["acc"] / self.seen}


class MeanOfAllCalls(SoundMetric):
    """The mean is the same as long as the items are."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[float] = []

    def __call__(self, scores: Tensor, labels: Tensor) -> dict[str, Any]:
        self.values.append(float(super().__call__(scores, labels)["acc"]))
        return {"acc": sum(self.values) / len(self.values)}


class IgnoresNothing(SoundMetric):
    def __call__(self, scores: Tensor, labels: Tensor) -> dict[str, Any]:
        return {"acc": (scores.argmax(1) == labels).float().mean()}


class SoundTransform:
    """Adds noise to a picture."""

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        return {**item, "img": torch.as_tensor(np.array(item["img"])).float() + torch.rand(())}


class OwnRandomNumbers(SoundTransform):
    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        return {**super().__call__(item), "noise": random.SystemRandom().random()}


class WorksInPlace(SoundTransform):
    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        item["gt_label"] += 1
        return item


class TransformWithALambda(SoundTransform):
    def __init__(self) -> None:
        self.twice = lambda value: 2 * value


class SoundDataset:
    """Four random pictures."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index >= 4:
            raise IndexError(index)
        return {"img": torch.full((3, 4, 4), float(index)), "gt_label": index}


class EmptyDataset(SoundDataset):
    def __len__(self) -> int:
        return 0


class EndlessDataset(SoundDataset):
    def __getitem__(self, index: int) -> dict[str, Any]:
        return super().__getitem__(index % 4)


class ChangingDataset(SoundDataset):
    reads = 0

    def __getitem__(self, index: int) -> dict[str, Any]:
        self.reads += 1
        return {**super().__getitem__(index), "reads": self.reads}


class DatasetWithALambda(SoundDataset):
    def __init__(self) -> None:
        self.read = lambda index: index


class DatasetOfOtherKeys(SoundDataset):
    def __getitem__(self, index: int) -> dict[str, Any]:
        item = super().__getitem__(index)
        return {**item, "last": True} if index == 3 else item


FAULTS = {
    "heads": {
        OneClassMore: "head.scores",
        DropsInEvalMode: "head.modes",
        DetachesScores: "head.modes",
        KeepsAnUnusedLayer: "head.modes",
        StatesOtherClasses: "head.classes",
        RefusesNothing: "refusals.width",
    },
    "losses": {
        VectorLoss: "loss.scalar",
        DetachedLoss: "loss.scalar",
        CrossEntropyLoss: "loss.known-values",
        FirstCountsDouble: "loss.order",
        CountsIgnored: "loss.ignored-labels",
        NothingOverNothing: "loss.ignored-labels",
        ReplacesIgnoredLabels: "loss.in-place",
        SumThatIsAMean: "loss.reduction",
        WrongDivisor: "loss.parts",
    },
    "metrics": {
        Accuracy: "metric.known-values",
        ChangesLabels: "metric.values",
        KeepsGradient: "metric.values",
        Remembers: "metric.order",
        MeanOfAllCalls: "metric.order",
        IgnoresNothing: "metric.ignored-labels",
    },
    "transforms": {
        OwnRandomNumbers: "transform.seed",
        WorksInPlace: "transform.in-place",
        TransformWithALambda: "transform.pickle",
    },
    "datasets": {
        EmptyDataset: "dataset.items",
        EndlessDataset: "dataset.items",
        ChangingDataset: "dataset.repeated",
        DatasetWithALambda: "dataset.workers",
        DatasetOfOtherKeys: "dataset.batches",
    },
}
SOUND = {
    "heads": SoundHead,
    "losses": SoundLoss,
    "metrics": SoundMetric,
    "transforms": SoundTransform,
    "datasets": SoundDataset,
}
