"""A tiny model and tiny data that depend on seed, epoch and index only, for the tests of the solvers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from essmc_core import SOLVERS, TrainModule

CLASSES = 3


class Points(Dataset[dict[str, Any]]):
    """Points around one centre a class, with fresh noise every epoch."""

    classes = tuple("abc")

    def __init__(self, size: int = 40, fresh: bool = True) -> None:
        self.size = size
        self.fresh = fresh
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Any]:
        label = index % CLASSES
        seed = index + (1000 * self.epoch if self.fresh else 0)
        noise = torch.randn(6, generator=torch.Generator().manual_seed(seed))
        return {"img": noise + label, "gt_label": torch.tensor(label), "meta": {"index": index}}


def collate(items: list[dict[str, Any]]) -> dict[str, Any]:
    batch: dict[str, Any] = {key: torch.stack([item[key] for item in items]) for key in ("img", "gt_label")}
    return {**batch, "meta": [item["meta"] for item in items]}


class Net(TrainModule):
    """Two layers with dropout and perhaps batch norm, by the contract."""

    num_classes = CLASSES

    def __init__(self, norm: bool = True, dropout: float = 0.2) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16) if norm else nn.Identity(), nn.ReLU())
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(16, CLASSES)

    def scores(self, img: Tensor) -> Tensor:
        found: Tensor = self.head(self.dropout(self.backbone(img)))
        return found

    def forward_train(self, img: Tensor, gt_label: Tensor) -> dict[str, Any]:
        scores = self.scores(img)
        loss = nn.functional.cross_entropy(scores, gt_label)
        return {"loss": loss, "batch_size": len(img), "acc@1": _accuracy(scores, gt_label)}

    def forward_test(self, img: Tensor, gt_label: Tensor | None = None) -> Any:
        probabilities = self.scores(img).softmax(1)
        if gt_label is None:
            return probabilities
        return {"logits": probabilities, "batch_size": len(img), "acc@1": _accuracy(probabilities, gt_label)}


def _accuracy(scores: Tensor, labels: Tensor) -> Tensor:
    return (scores.argmax(1) == labels).float().mean()


def loader(dataset: Any, batch_size: int = 8, shuffle: bool = True, **arguments: Any) -> DataLoader[Any]:
    return DataLoader(dataset, batch_size=batch_size, shuffle=shuffle, collate_fn=collate, **arguments)


def data(train: int = 40, evaluation: int = 21, **arguments: Any) -> dict[str, Any]:
    return {
        "train": loader(Points(train), **arguments),
        "eval": loader(Points(evaluation, fresh=False), shuffle=False, **arguments),
    }


def solver(model: nn.Module | None = None, work_dir: Path | None = None, **arguments: Any) -> Any:
    """Returns a TrainValSolver that is quiet, on the CPU, with AdamW."""
    given: Mapping[str, Any] = {"optimizer": {"type": "AdamW", "lr": 0.01}, "device": "cpu", **arguments}
    if model is None:
        torch.manual_seed(0)
        model = Net()
    return SOLVERS.build({"type": "TrainValSolver", "model": model, "work_dir": work_dir, **given})
