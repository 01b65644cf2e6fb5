"""A sound little model, and others that break the contract with solvers by one fault each, by the check for it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from essmc_core import TrainModule


class SoundModel(TrainModule):
    """A linear layer on pictures: (N, 3, H, W) → (N, 5)."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.linear = nn.Linear(3, 5)

    def scores(self, image: Tensor) -> Tensor:
        found: Tensor = self.linear(self.norm(image).mean((2, 3)))
        return found

    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(scores, labels)

    def forward_train(self, image: Tensor, gt_label: Tensor | None = None) -> Any:
        scores = self.scores(image)
        if gt_label is None:
            return scores.softmax(1)
        return {"loss": self.loss(scores, gt_label), "batch_size": len(image)}

    def forward_test(self, image: Tensor, gt_label: Tensor | None = None) -> Any:
        scores = self.scores(image)
        if gt_label is None:
            return scores.softmax(1)
        return {"logits": scores.softmax(1), "loss": self.loss(scores, gt_label), "batch_size": len(image)}


class PlainModule(nn.Module):
    """No model by its base."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 5)

    def forward(self, image: Tensor, gt_label: Tensor | None = None) -> Tensor:
        found: Tensor = self.linear(image.mean((2, 3)))
        return found


class SqueezesOneInput(SoundModel):
    def forward_test(self, image: Tensor, gt_label: Tensor | None = None) -> Any:
        found = super().forward_test(image, gt_label)
        return found.squeeze(0) if isinstance(found, Tensor) else found


class CountsInTestMode(SoundModel):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward_test(self, image: Tensor, gt_label: Tensor | None = None) -> Any:
        self.calls += 1
        return super().forward_test(image, gt_label)


class NoLogits(SoundModel):
    def forward_test(self, image: Tensor, gt_label: Tensor | None = None) -> Any:
        found = super().forward_test(image, gt_label)
        return found if isinstance(found, Tensor) else {"scores": found["logits"]}


class RawLogits(SoundModel):
    def forward_test(self, image: Tensor, gt_label: Tensor | None = None) -> Any:
        found = super().forward_test(image, gt_label)
        return found if isinstance(found, Tensor) else {**found, "logits": self.scores(image)}


class NoLoss(SoundModel):
    def forward_train(self, image: Tensor, gt_label: Tensor | None = None) -> Any:
        found = super().forward_train(image, gt_label)
        return found if isinstance(found, Tensor) else {"batch_size": len(image)}


class DetachedLoss(SoundModel):
    def forward_train(self, image: Tensor, gt_label: Tensor | None = None) -> Any:
        found = super().forward_train(image, gt_label)
        return found if isinstance(found, Tensor) else {**found, "loss": found["loss"].detach()}


class WrongBatchSize(SoundModel):
    def forward_train(self, image: Tensor, gt_label: Tensor | None = None) -> Any:
        found = super().forward_train(image, gt_label)
        return found if isinstance(found, Tensor) else {**found, "batch_size": 8}


class UnusedLayer(SoundModel):
    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Linear(3, 3)


class NeedsLabelsInTrainMode(SoundModel):
    def forward_train(self, image: Tensor, gt_label: Tensor | None = None) -> Any:
        return {"loss": self.loss(self.scores(image), torch.zeros(len(image), dtype=torch.long)), "batch_size": 1}


class SumWithoutNormalizer(SoundModel):
    def loss(self, scores: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(scores, labels, reduction="sum")


FAULTS = {
    PlainModule: "model.base",
    SqueezesOneInput: "model.test-mode",
    CountsInTestMode: "model.test-mode",
    NoLogits: "model.test-mode-labels",
    RawLogits: "model.test-mode-labels",
    NoLoss: "model.train-mode",
    DetachedLoss: "model.train-mode",
    WrongBatchSize: "model.train-mode",
    UnusedLayer: "model.train-mode",
    NeedsLabelsInTrainMode: "model.train-mode-alone",
    SumWithoutNormalizer: "model.normalizers",
}
