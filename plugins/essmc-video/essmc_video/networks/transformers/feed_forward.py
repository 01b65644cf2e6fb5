"""The layers of a transformer that look at one token at a time."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class FeedForward(nn.Module):
    """Two linear layers with GELU between them: (..., dim) → (..., dim).

    Args:
        dim: width of the tokens.
        mult: width of the hidden layer, in multiples of ``dim``.
        ff_dropout: chance of dropping a feature, hidden or of the output, in [0, 1].
    """

    def __init__(self, dim: int, mult: int = 4, ff_dropout: float = 0.0) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(dim, dim * mult),
            nn.GELU(),
            nn.Dropout(ff_dropout),
            nn.Linear(dim * mult, dim),
            nn.Dropout(ff_dropout),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Returns a tensor of the same shape."""
        transformed: Tensor = self.net(tokens)
        return transformed


class GEGLU(nn.Module):
    """Gate by GELU: (..., 2 · width) → (..., width), the second half being the gate.

    Shazeer, "GLU Variants Improve Transformer", 2020.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Returns the gated half."""
        values, gates = features.chunk(2, dim=-1)
        return values * functional.gelu(gates)
