"""Multi-head self-attention, among all tokens or among those that share a place or a time step.

Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from essmc_core.contract.annotations import Probability
from essmc_core.contract.recording import is_tracing
from essmc_core.errors import InputError
from essmc_video.arguments.sizes import check_shared
from essmc_video.networks.transformers.rules import check_split

Axis = Literal["time", "space"]


class Attention(nn.Module):
    """Self-attention among all tokens: (N, L, dim) → (N, L, dim).

    Args:
        dim: width of the tokens.
        num_heads: number of heads; divides ``dim``.
        attn_dropout: chance of dropping an attention weight, in [0, 1].
        ff_dropout: chance of dropping a feature of the output, in [0, 1].

    Raises:
        ConfigError: ``dim`` is no multiple of ``num_heads``.
    """

    def __init__(self, dim: int, num_heads: int = 12, attn_dropout: float = 0.0, ff_dropout: float = 0.0) -> None:
        super().__init__()
        check_shared(num_heads, dim)
        self.dim = dim
        self.num_heads = num_heads
        self.to_qkv = nn.Linear(dim, 3 * dim)
        self.attn_dropout = nn.Dropout(attn_dropout)
        self.proj = nn.Linear(dim, dim)
        self.ff_dropout = nn.Dropout(ff_dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Returns a tensor of the same shape."""
        query, key, value = self.heads(tokens)
        return self.project(self.attend(query, key, value))

    def heads(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns queries, keys and values, each (N, L, heads, head width)."""
        query, key, value = torch.unflatten(self.to_qkv(tokens), -1, (3, self.num_heads, -1)).unbind(2)
        return query, key, value

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Returns what queries (N, L, heads, width) gather from keys and values (N, M, heads, width)."""
        gathered = functional.scaled_dot_product_attention(
            query.transpose(1, 2),
            key.transpose(1, 2),
            value.transpose(1, 2),
            dropout_p=self.attn_dropout.p if self.training else 0.0,
        )
        return gathered.transpose(1, 2)

    def project(self, gathered: Tensor) -> Tensor:
        """Merges heads: (N, L, heads, width) → (N, L, dim)."""
        projected: Tensor = self.ff_dropout(self.proj(gathered.flatten(2)))
        return projected


class AxialAttention(Attention):
    """Self-attention among tokens of one place over time, or of one time step over space.

    Tokens lie in the order time, height, width.

    Args:
        dim: width of the tokens.
        num_heads: number of heads; divides ``dim``.
        attn_dropout: chance of dropping an attention weight, in [0, 1].
        ff_dropout: chance of dropping a feature of the output, in [0, 1].
        axis: what a token looks along, ``time`` or ``space``.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int = 12,
        attn_dropout: Probability = 0.0,
        ff_dropout: Probability = 0.0,
        axis: Axis = "space",
    ) -> None:
        super().__init__(dim, num_heads, attn_dropout, ff_dropout)
        self.axis = axis

    def forward(self, tokens: Tensor, num_frames: int) -> Tensor:  # type: ignore[override]
        """Returns a tensor of the same shape.

        Args:
            tokens: (N, num_frames · places, dim).
            num_frames: time steps.
        """
        return self.project(self.attend_along(self.axis, num_frames, self.heads(tokens)))

    def attend_along(self, axis: Axis, num_frames: int, parts: Sequence[Tensor]) -> Tensor:
        """Returns what queries gather from keys and values along an axis.

        All three are (N, num_frames · places, heads, width).
        """
        query, key, value = (grouped(part, axis, num_frames) for part in parts)
        return ungrouped(self.attend(query, key, value), axis, num_frames, parts[0].shape[1] // num_frames)


class DividedAttention(AxialAttention):
    """Axial attention with a class token, which everyone sees and which sees everyone.

    Args:
        dim: width of the tokens.
        num_heads: number of heads; divides ``dim``.
        attn_dropout: chance of dropping an attention weight, in [0, 1].
        ff_dropout: chance of dropping a feature of the output, in [0, 1].
        axis: what a token looks along, ``time`` or ``space``.
    """

    def forward(self, tokens: Tensor, num_frames: int) -> Tensor:  # type: ignore[override]
        """Returns a tensor of the same shape.

        Args:
            tokens: (N, 1 + num_frames · places, dim), the class token first.
            num_frames: time steps.
        """
        query, key, value = self.heads(tokens)
        places = (query.shape[1] - 1) // num_frames
        groups = num_frames if self.axis == "space" else places
        (class_query, queries), *both = (
            torch.split(part, [1, num_frames * places], dim=1) for part in (query, key, value)
        )
        keys, values = (
            torch.cat([_for_each(first, groups), grouped(others, self.axis, num_frames)], dim=1)
            for first, others in both
        )
        class_gathered = self.attend(class_query, key, value)
        gathered = self.attend(grouped(queries, self.axis, num_frames), keys, values)
        return self.project(torch.cat([class_gathered, ungrouped(gathered, self.axis, num_frames, places)], dim=1))


class SplitHeadAttention(AxialAttention):
    """Attention whose first half of heads looks over space and whose second half looks over time.

    Args:
        dim: width of the tokens.
        num_heads: number of heads; even, divides ``dim``.
        attn_dropout: chance of dropping an attention weight, in [0, 1].
        ff_dropout: chance of dropping a feature of the output, in [0, 1].

    Raises:
        ConfigError: ``num_heads`` is odd, or does not divide ``dim``.
    """

    def __init__(self, dim: int, num_heads: int = 12, attn_dropout: float = 0.0, ff_dropout: float = 0.0) -> None:
        super().__init__(dim, num_heads, attn_dropout, ff_dropout)
        check_split(num_heads)

    def forward(self, tokens: Tensor, num_frames: int) -> Tensor:  # type: ignore[override]
        """Returns a tensor of the same shape; arguments as in `AxialAttention`."""
        halves = [part.chunk(2, dim=2) for part in self.heads(tokens)]
        over_space = self.attend_along("space", num_frames, [half[0] for half in halves])
        over_time = self.attend_along("time", num_frames, [half[1] for half in halves])
        return self.project(torch.cat([over_space, over_time], dim=2))


def grouped(tokens: Tensor, axis: Axis, num_frames: int) -> Tensor:
    """Makes groups of tokens that see each other items of the batch.

    (N, frames · places, heads, width) → (N · frames, places, heads, width) for space, and
    (N · places, frames, heads, width) for time.
    """
    steps = torch.unflatten(tokens, 1, (num_frames, -1))
    return (steps if axis == "space" else steps.transpose(1, 2)).flatten(0, 1)


def ungrouped(groups: Tensor, axis: Axis, num_frames: int, places: int) -> Tensor:
    """Undoes `grouped`."""
    if axis == "space":
        return torch.unflatten(groups, 0, (-1, num_frames)).flatten(1, 2)
    return torch.unflatten(groups, 0, (-1, places)).transpose(1, 2).flatten(1, 2)


def _for_each(class_token: Tensor, groups: int) -> Tensor:
    """Repeats (N, 1, ...) for every group: (N · groups, 1, ...)."""
    return class_token.unsqueeze(1).expand(-1, groups, -1, -1, -1).flatten(0, 1)


def check_frames(tokens: Tensor, num_frames: int, class_tokens: int) -> None:
    """Refuses tokens that are not the same number per time step.

    Raises:
        InputError: names what fits.
    """
    if tokens.ndim == 3 and (is_tracing() or (tokens.shape[1] - class_tokens) % num_frames == 0):
        return
    first = f"{class_tokens} + " if class_tokens else ""
    raise InputError(
        f"expected tokens of shape (N, {first}{num_frames} · places, D), got {tuple(tokens.shape)}",
        hint="say how many time steps they have: layer(tokens, num_frames)",
    )
