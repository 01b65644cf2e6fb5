"""The share of items whose best class is the true one."""

from __future__ import annotations

import torch
from torch import Tensor


class SoundMetric:
    """Accuracy: (N, K), (N,) → ``{"acc": scalar}``.

    Args:
        ignore_index: label of items that do not count.
    """

    def __init__(self, ignore_index: int = -100) -> None:
        self.ignore_index = ignore_index

    @torch.no_grad()
    def __call__(self, logits: Tensor, labels: Tensor, prefix: str = "acc") -> dict[str, Tensor]:
        """Returns the share among the items that count."""
        counted = self.counted(labels)
        return {prefix: (logits.argmax(1) == labels)[counted].float().mean()}

    def counted(self, labels: Tensor) -> Tensor:
        """Returns which items count (N,)."""
        return labels != self.ignore_index
