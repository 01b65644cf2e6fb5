"""Layer norm over the channels of a clip."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class ChannelNorm(nn.LayerNorm):
    """Layer norm over dimension 1, whatever dimensions follow.

    Args:
        channels: size of dimension 1.
        eps: added to the variance.
    """

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__(channels, eps=eps)

    def forward(self, input: Tensor) -> Tensor:
        """Maps (N, C, ...) to the same shape."""
        last = functional.layer_norm(input.movedim(1, -1), self.normalized_shape, self.weight, self.bias, self.eps)
        return last.movedim(-1, 1)
