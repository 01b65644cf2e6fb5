"""The head of a backbone that has timm's own classifier."""

from __future__ import annotations

from torch import Tensor, nn

from essmc_core import FeatureDim


class Scores(nn.Module):
    """Passes on scores: (N, dim) → (N, dim).

    For timm's families whose classifier is not one linear layer on pooled features: build the backbone with ``scores``.

    Args:
        dim: number of classes; that of the backbone's scores, if not given.
    """

    def __init__(self, dim: FeatureDim) -> None:
        super().__init__()
        self.dim = dim
        self.num_classes = dim

    def forward(self, scores: Tensor) -> Tensor:
        """Returns the scores."""
        return scores
