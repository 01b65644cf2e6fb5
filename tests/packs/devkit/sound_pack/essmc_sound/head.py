"""A head of one linear layer."""

from __future__ import annotations

from torch import Tensor, nn

from essmc_core import FeatureDim
from essmc_core.contract.annotations import PositiveInt
from essmc_core.contract.heads import check_head_arguments
from essmc_core.contract.recording import is_tracing
from essmc_core.errors import InputError


class SoundHead(nn.Module):
    """A linear layer: (N, dim) → (N, num_classes).

    Args:
        dim: width of the features.
        num_classes: number of classes.
    """

    def __init__(self, dim: FeatureDim, num_classes: PositiveInt) -> None:
        super().__init__()
        check_head_arguments(self, (num_classes,), 0.0)
        self.dim = dim
        self.num_classes = num_classes
        self.fc = nn.Linear(dim, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Returns raw scores (N, num_classes)."""
        if features.ndim != 2 or (not is_tracing() and features.shape[1] != self.dim):
            raise InputError(f"SoundHead takes features (N, {self.dim}), got {tuple(features.shape)}: set its dim")
        scores: Tensor = self.fc(features)
        return scores
