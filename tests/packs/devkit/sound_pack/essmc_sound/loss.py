"""Cross entropy that says what it divides by."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class SoundLoss(nn.Module):
    """Cross entropy, a mean over the items that count: (N, K), (N,) → scalar.

    Args:
        ignore_index: label of items that do not count.
    """

    def __init__(self, ignore_index: int = -100) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Returns the mean, 0 where no item counts."""
        counted = labels != self.ignore_index
        losses = functional.cross_entropy(scores, labels.masked_fill(~counted, 0), reduction="none")
        return torch.where(counted, losses, 0.0).sum() / counted.sum().clamp(min=1)

    def normalizer(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Returns how many items count."""
        return (labels != self.ignore_index).sum()
