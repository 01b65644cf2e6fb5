"""The layers of a block that look at one token at a time."""

from __future__ import annotations

from torch import Tensor, nn


class Mlp(nn.Module):
    """Two linear layers with GELU between them, each followed by dropout: (..., dim) → (..., dim_out).

    Args:
        dim: width of the tokens.
        hidden: width of the hidden layer.
        dim_out: width of the output.
        bias: give both layers a bias.
        dropout_rate: chance of dropping a feature, in [0, 1].
    """

    def __init__(self, dim: int, hidden: int, dim_out: int, bias: bool = True, dropout_rate: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden, bias=bias)
        self.act = nn.GELU()
        self.dropout = nn.Dropout(dropout_rate)
        self.fc2 = nn.Linear(hidden, dim_out, bias=bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Returns a token for each."""
        transformed: Tensor = self.dropout(self.fc2(self.dropout(self.act(self.fc1(tokens)))))
        return transformed
