"""Multi-head attention among pooled tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from essmc_core.contract.annotations import Probability
from essmc_video.layers.conv_chain import Triple
from essmc_video.networks.mvit.rules import check_heads
from essmc_video.networks.mvit.token_pool import PoolingMode, TokenPool
from essmc_video.networks.mvit.window import Window


class PooledAttention(nn.Module):
    """Self-attention whose queries, keys and values are pooled per head: (N, L, dim) → (N, L', dim_out).

    Fan et al., "Multiscale Vision Transformers", ICCV 2021, section 3.1, equation 1. Queries are pooled to fewer
    outputs, keys and values to less work. The heads share their pools.

    Args:
        dim: width of the tokens.
        dim_out: width of queries, keys, values and output.
        num_heads: number of heads; divides ``dim_out``, and ``dim`` where tokens are pooled first.
        query_window: how queries are pooled; None: not at all.
        key_window: likewise for keys and values.
        class_tokens: how many tokens in front are not on the grid.
        pooling_mode: see `TokenPool`.
        pool_first: pool the tokens in front of the linear layers, not behind them.
        residual_pool: add the pooled queries to what they gather (Li et al., "MViTv2", CVPR 2022, equation 3).
        depthwise_conv: let learned pools treat each feature by itself.
        separate_qkv: a linear layer each for queries, keys and values instead of one for all; always so with
            ``pool_first``.
        qkv_bias: give these layers biases.
        bias_on: give the last layer a bias.
        dropout_rate: chance of dropping a feature of the output, in [0, 1].

    Raises:
        ConfigError: the heads cannot share the features.
    """

    def __init__(
        self,
        dim: int,
        dim_out: int,
        num_heads: int,
        query_window: Window | None = None,
        key_window: Window | None = None,
        class_tokens: int = 1,
        pooling_mode: PoolingMode = "conv",
        pool_first: bool = False,
        residual_pool: bool = False,
        depthwise_conv: bool = True,
        separate_qkv: bool = True,
        qkv_bias: bool = True,
        bias_on: bool = True,
        dropout_rate: Probability = 0.0,
    ) -> None:
        super().__init__()
        check_heads(dim, dim_out, num_heads, pool_first)
        self.num_heads = num_heads
        self.pool_first = pool_first
        self.residual_pool = residual_pool
        if separate_qkv or pool_first:
            self.q, self.k, self.v = (nn.Linear(dim, dim_out, bias=qkv_bias) for _ in range(3))
            self.qkv = None
        else:
            self.qkv = nn.Linear(dim, 3 * dim_out, bias=qkv_bias)
        head_dim = (dim if pool_first else dim_out) // num_heads
        windows = (query_window, key_window, key_window)
        self.pool_q, self.pool_k, self.pool_v = (
            None if window is None else TokenPool(head_dim, window, pooling_mode, class_tokens, depthwise_conv)
            for window in windows
        )
        self.proj = nn.Linear(dim_out, dim_out, bias=bias_on)
        self.dropout = nn.Dropout(dropout_rate)

    def forward(self, tokens: Tensor, grid: Triple) -> Tensor:
        """Returns one token per pooled query.

        Args:
            tokens: class tokens, then those of the grid in the order time, height, width.
            grid: tokens along time, height and width.
        """
        query, key, value = (self._pooled_first if self.pool_first else self._pooled_last)(tokens, grid)
        gathered = functional.scaled_dot_product_attention(query, key, value)
        if self.residual_pool:
            gathered = gathered + query
        projected: Tensor = self.dropout(self.proj(_merge(gathered)))
        return projected

    def _pooled_last(self, tokens: Tensor, grid: Triple) -> tuple[Tensor, ...]:
        if self.qkv is None:
            parts = tuple(self._split(layer(tokens)) for layer in (self.q, self.k, self.v))
        else:
            parts = tuple(self._split(part) for part in self.qkv(tokens).chunk(3, dim=-1))
        return self._pool(parts, grid)

    def _pooled_first(self, tokens: Tensor, grid: Triple) -> tuple[Tensor, ...]:
        heads = self._split(tokens)
        pooled = self._pool((heads, heads, heads), grid)
        return tuple(
            self._split(layer(_merge(part))) for layer, part in zip((self.q, self.k, self.v), pooled, strict=True)
        )

    def _pool(self, parts: tuple[Tensor, ...], grid: Triple) -> tuple[Tensor, ...]:
        pools = (self.pool_q, self.pool_k, self.pool_v)
        return tuple(
            part if pool is None else torch.unflatten(pool(part.flatten(0, 1), grid), 0, (-1, self.num_heads))
            for part, pool in zip(parts, pools, strict=True)
        )

    def _split(self, tokens: Tensor) -> Tensor:
        """Parts heads: (N, L, heads · width) → (N, heads, L, width)."""
        return torch.unflatten(tokens, -1, (self.num_heads, -1)).transpose(1, 2)


def _merge(heads: Tensor) -> Tensor:
    """Joins heads: (N, heads, L, width) → (N, L, heads · width)."""
    return heads.transpose(1, 2).flatten(2)
