"""Encoder layers: attention, then a feed-forward network, each behind a layer norm and with a shortcut around it."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from essmc_core.contract.annotations import PositiveInt, Probability
from essmc_video.layers.drop_path import drop_path
from essmc_video.networks.transformers.attention import (
    Attention,
    AxialAttention,
    DividedAttention,
    SplitHeadAttention,
    check_frames,
)
from essmc_video.networks.transformers.feed_forward import FeedForward
from essmc_video.networks.transformers.rules import CLASS_TOKENS

EPS = 1e-6
"""Epsilon of all layer norms."""


class BaseTransformerLayer(nn.Module):
    """Attention among all tokens: (N, L, dim) → (N, L, dim).

    Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021.

    Args:
        dim: width of the tokens.
        num_heads: number of heads; divides ``dim``.
        attn_dropout: chance of dropping an attention weight, in [0, 1].
        ff_dropout: chance of dropping a feature behind a linear layer, in [0, 1].
        mlp_mult: width of the feed-forward network, in multiples of ``dim``.
        drop_path_prob: chance of leaving a branch out for an item in training, in [0, 1].
    """

    def __init__(
        self,
        dim: int,
        num_heads: int = 12,
        attn_dropout: Probability = 0.0,
        ff_dropout: Probability = 0.0,
        mlp_mult: PositiveInt = 4,
        drop_path_prob: Probability = 0.0,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, eps=EPS)
        self.attn = Attention(dim, num_heads, attn_dropout, ff_dropout)
        self.norm_ffn = nn.LayerNorm(dim, eps=EPS)
        self.ffn = FeedForward(dim, mlp_mult, ff_dropout)
        self.drop_path = drop_path(drop_path_prob)

    def forward(self, tokens: Tensor) -> Tensor:
        """Returns a tensor of the same shape."""
        tokens = tokens + self.drop_path(self.attn(self.norm(tokens)))
        tokens = tokens + self.drop_path(self.ffn(self.norm_ffn(tokens)))
        return tokens


class TimesformerLayer(nn.Module):
    """Attention over time, then over space: (N, 1 + num_frames · places, dim) → the same.

    Tokens lie in the order time, height, width, behind a class token, which sees all and is seen by all.
    Bertasius et al., "Is Space-Time Attention All You Need for Video Understanding?", ICML 2021.

    Args:
        num_patches: tokens the network was built for, without the class token; other numbers work.
        num_frames: time steps, where ``forward`` is not told.
        dim: width of the tokens.
        num_heads: number of heads; divides ``dim``.
        attn_dropout: chance of dropping an attention weight, in [0, 1].
        ff_dropout: chance of dropping a feature behind a linear layer, in [0, 1].
        drop_path_prob: chance of leaving a branch out for an item in training, in [0, 1].
        mlp_mult: width of the feed-forward network, in multiples of ``dim``.
    """

    needs_frames: ClassVar[bool] = True
    class_tokens: ClassVar[int] = CLASS_TOKENS["TimesformerLayer"]

    def __init__(
        self,
        num_patches: int,
        num_frames: int,
        dim: int,
        num_heads: int = 12,
        attn_dropout: Probability = 0.0,
        ff_dropout: Probability = 0.0,
        drop_path_prob: Probability = 0.0,
        mlp_mult: int = 4,
    ) -> None:
        super().__init__()
        self.num_patches = num_patches
        self.num_frames = num_frames
        self.norm_temporal = nn.LayerNorm(dim, eps=EPS)
        self.attn_temporal = DividedAttention(dim, num_heads, attn_dropout, ff_dropout, axis="time")
        self.norm = nn.LayerNorm(dim, eps=EPS)
        self.attn = DividedAttention(dim, num_heads, attn_dropout, ff_dropout, axis="space")
        self.norm_ffn = nn.LayerNorm(dim, eps=EPS)
        self.ffn = FeedForward(dim, mlp_mult, ff_dropout)
        self.drop_path = drop_path(drop_path_prob)

    def forward(self, tokens: Tensor, num_frames: int | None = None) -> Tensor:
        """Returns a tensor of the same shape.

        Args:
            tokens: (N, 1 + num_frames · places, dim).
            num_frames: time steps, if not those it was built for.

        Raises:
            InputError: the time steps cannot have the same number of tokens.
        """
        frames = num_frames or self.num_frames
        check_frames(tokens, frames, self.class_tokens)
        tokens = tokens + self.drop_path(self.attn_temporal(self.norm_temporal(tokens), frames))
        tokens = tokens + self.drop_path(self.attn(self.norm(tokens), frames))
        tokens = tokens + self.drop_path(self.ffn(self.norm_ffn(tokens)))
        return tokens


class FactorizedAttentionLayer(nn.Module):
    """Attention over space, then over time: (N, num_frames · places, dim) → the same, without a class token.

    Model 3 of Arnab et al., "ViViT: A Video Vision Transformer", ICCV 2021, section 3.3.

    Args:
        num_patches: tokens the network was built for; other numbers work.
        num_frames: time steps, where ``forward`` is not told.
        dim: width of the tokens.
        num_heads: number of heads; divides ``dim``.
        attn_dropout: chance of dropping an attention weight, in [0, 1].
        ff_dropout: chance of dropping a feature behind a linear layer, in [0, 1].
        drop_path_prob: chance of leaving a branch out for an item in training, in [0, 1].
        mlp_mult: width of the feed-forward network, in multiples of ``dim``.
    """

    needs_frames: ClassVar[bool] = True
    class_tokens: ClassVar[int] = CLASS_TOKENS["FactorizedAttentionLayer"]

    def __init__(
        self,
        num_patches: int,
        num_frames: int,
        dim: int,
        num_heads: int = 12,
        attn_dropout: Probability = 0.0,
        ff_dropout: Probability = 0.0,
        drop_path_prob: Probability = 0.0,
        mlp_mult: int = 4,
    ) -> None:
        super().__init__()
        self.num_patches = num_patches
        self.num_frames = num_frames
        self.norm = nn.LayerNorm(dim, eps=EPS)
        self.attn = AxialAttention(dim, num_heads, attn_dropout, ff_dropout, axis="space")
        self.norm_temporal = nn.LayerNorm(dim, eps=EPS)
        self.attn_temporal = AxialAttention(dim, num_heads, attn_dropout, ff_dropout, axis="time")
        self.norm_ffn = nn.LayerNorm(dim, eps=EPS)
        self.ffn = FeedForward(dim, mlp_mult, ff_dropout)
        self.drop_path = drop_path(drop_path_prob)

    def init_as_identity(self) -> None:
        """Lets attention over time start as its shortcut, as section 3.4 of the paper does."""
        nn.init.zeros_(self.attn_temporal.proj.weight)
        nn.init.zeros_(self.attn_temporal.proj.bias)

    def forward(self, tokens: Tensor, num_frames: int | None = None) -> Tensor:
        """Returns a tensor of the same shape.

        Args:
            tokens: (N, num_frames · places, dim).
            num_frames: time steps, if not those it was built for.

        Raises:
            InputError: the time steps cannot have the same number of tokens.
        """
        frames = num_frames or self.num_frames
        check_frames(tokens, frames, self.class_tokens)
        tokens = tokens + self.drop_path(self.attn(self.norm(tokens), frames))
        tokens = tokens + self.drop_path(self.attn_temporal(self.norm_temporal(tokens), frames))
        tokens = tokens + self.drop_path(self.ffn(self.norm_ffn(tokens)))
        return tokens


class FactorizedDotProductLayer(nn.Module):
    """Half of the heads look over space, half over time: (N, num_frames · places, dim) → the same, no class token.

    Model 4 of Arnab et al., "ViViT: A Video Vision Transformer", ICCV 2021, section 3.3. Parameters are those of
    `BaseTransformerLayer`.

    Args:
        num_patches: tokens the network was built for; other numbers work.
        num_frames: time steps, where ``forward`` is not told.
        dim: width of the tokens.
        num_heads: number of heads; even, divides ``dim``.
        attn_dropout: chance of dropping an attention weight, in [0, 1].
        ff_dropout: chance of dropping a feature behind a linear layer, in [0, 1].
        drop_path_prob: chance of leaving a branch out for an item in training, in [0, 1].
        mlp_mult: width of the feed-forward network, in multiples of ``dim``.
    """

    needs_frames: ClassVar[bool] = True
    class_tokens: ClassVar[int] = CLASS_TOKENS["FactorizedDotProductLayer"]

    def __init__(
        self,
        num_patches: int,
        num_frames: int,
        dim: int,
        num_heads: int = 12,
        attn_dropout: Probability = 0.0,
        ff_dropout: Probability = 0.0,
        drop_path_prob: Probability = 0.0,
        mlp_mult: int = 4,
    ) -> None:
        super().__init__()
        self.num_patches = num_patches
        self.num_frames = num_frames
        self.norm = nn.LayerNorm(dim, eps=EPS)
        self.attn = SplitHeadAttention(dim, num_heads, attn_dropout, ff_dropout)
        self.norm_ffn = nn.LayerNorm(dim, eps=EPS)
        self.ffn = FeedForward(dim, mlp_mult, ff_dropout)
        self.drop_path = drop_path(drop_path_prob)

    def forward(self, tokens: Tensor, num_frames: int | None = None) -> Tensor:
        """Returns a tensor of the same shape.

        Args:
            tokens: (N, num_frames · places, dim).
            num_frames: time steps, if not those it was built for.

        Raises:
            InputError: the time steps cannot have the same number of tokens.
        """
        frames = num_frames or self.num_frames
        check_frames(tokens, frames, self.class_tokens)
        tokens = tokens + self.drop_path(self.attn(self.norm(tokens), frames))
        tokens = tokens + self.drop_path(self.ffn(self.norm_ffn(tokens)))
        return tokens
