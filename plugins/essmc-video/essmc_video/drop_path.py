"""Stochastic depth: residual branches that are left out at random in training."""

from __future__ import annotations

from torch import Tensor, nn


class DropPath(nn.Module):
    """Sets whole items of a batch to zero in training, and scales the others to keep the mean.

    Huang et al., "Deep Networks with Stochastic Depth", ECCV 2016.

    Args:
        drop_prob: chance of dropping an item, in [0, 1]; None never does.
    """

    def __init__(self, drop_prob: float | None = None) -> None:
        super().__init__()
        self.drop_prob = float(drop_prob or 0.0)

    def forward(self, branch: Tensor) -> Tensor:
        """Returns a tensor (N, ...) of the same shape."""
        if self.drop_prob == 0.0 or not self.training:
            return branch
        keep_prob = 1.0 - self.drop_prob
        kept = branch.new_empty((branch.shape[0],) + (1,) * (branch.ndim - 1)).bernoulli_(keep_prob)
        return branch * (kept / keep_prob if keep_prob > 0.0 else kept)

    def extra_repr(self) -> str:
        """Returns what ``print`` shows of it."""
        return f"drop_prob={self.drop_prob}"
