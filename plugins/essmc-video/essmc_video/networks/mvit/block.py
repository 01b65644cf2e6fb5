"""One block of MViT: pooled attention, then a multilayer perceptron."""

from __future__ import annotations

from torch import Tensor, nn

from essmc_core.contract.annotations import Probability
from essmc_video.layers.conv_chain import Triple
from essmc_video.layers.drop_path import drop_path
from essmc_video.networks.mvit.attention import PooledAttention
from essmc_video.networks.mvit.mlp import Mlp
from essmc_video.networks.mvit.schedule import BlockPlan
from essmc_video.networks.mvit.token_pool import EPS, PoolingMode, TokenPool


class MultiscaleBlock(nn.Module):
    """Two residual branches behind layer norms; the first may pool the tokens, either may widen them.

    Fan et al., "Multiscale Vision Transformers", ICCV 2021, section 3.2 and figure 3. Where tokens are pooled, the
    shortcut takes their maxima. Where they are widened, the shortcut is a linear layer on what the norm returned.

    Args:
        plan: widths, heads and pools.
        mlp_ratio: width of the hidden layer over the width in front of it.
        class_tokens: how many tokens in front are not on the grid.
        dim_mul_in_att: widen in attention, not in the perceptron.
        pooling_mode: see `TokenPool`.
        pool_first: see `PooledAttention`.
        residual_pool: likewise.
        depthwise_conv: likewise.
        separate_qkv: likewise.
        qkv_bias: likewise.
        bias_on: give all other linear layers biases.
        dropout_rate: chance of dropping a feature, in [0, 1].
        drop_path_rate: chance of leaving out a residual branch, in [0, 1].
    """

    def __init__(
        self,
        plan: BlockPlan,
        mlp_ratio: float = 4.0,
        class_tokens: int = 1,
        dim_mul_in_att: bool = False,
        pooling_mode: PoolingMode = "conv",
        pool_first: bool = False,
        residual_pool: bool = False,
        depthwise_conv: bool = True,
        separate_qkv: bool = True,
        qkv_bias: bool = True,
        bias_on: bool = True,
        dropout_rate: Probability = 0.0,
        drop_path_rate: Probability = 0.0,
    ) -> None:
        super().__init__()
        self.plan = plan
        self.dim_mul_in_att = dim_mul_in_att
        inner = plan.dim_out if dim_mul_in_att else plan.dim
        self.norm1 = nn.LayerNorm(plan.dim, eps=EPS)
        self.attn = PooledAttention(
            plan.dim,
            inner,
            plan.num_heads,
            plan.query_window,
            plan.key_window,
            class_tokens=class_tokens,
            pooling_mode=pooling_mode,
            pool_first=pool_first,
            residual_pool=residual_pool,
            depthwise_conv=depthwise_conv,
            separate_qkv=separate_qkv,
            qkv_bias=qkv_bias,
            bias_on=bias_on,
            dropout_rate=dropout_rate,
        )
        self.pool_skip = _skip_pool(plan, inner, class_tokens)
        self.norm2 = nn.LayerNorm(inner, eps=EPS)
        self.mlp = Mlp(inner, int(inner * mlp_ratio), plan.dim_out, bias_on, dropout_rate)
        self.proj = nn.Linear(plan.dim, plan.dim_out, bias=bias_on) if plan.dim != plan.dim_out else None
        self.drop_path = drop_path(drop_path_rate)

    def pooled(self, grid: Triple) -> Triple:
        """Returns how many tokens along time, height and width come out of a grid.

        Raises:
            InputError: queries and shortcut would not become equally many.
        """
        return self.plan.pooled(grid)

    def forward(self, tokens: Tensor, grid: Triple) -> Tensor:
        """Maps (N, L, dim) to (N, L', dim_out).

        Args:
            tokens: class tokens, then those of the grid in the order time, height, width.
            grid: tokens along time, height and width.
        """
        normed = self.norm1(tokens)
        shortcut = tokens if self.proj is None or not self.dim_mul_in_att else self.proj(normed)
        if self.pool_skip is not None:
            shortcut = self.pool_skip(shortcut, grid)
        tokens = shortcut + self.drop_path(self.attn(normed, grid))
        normed = self.norm2(tokens)
        shortcut = tokens if self.proj is None or self.dim_mul_in_att else self.proj(normed)
        widened: Tensor = shortcut + self.drop_path(self.mlp(normed))
        return widened


def _skip_pool(plan: BlockPlan, dim: int, class_tokens: int) -> TokenPool | None:
    window = plan.skip_window
    return None if window is None else TokenPool(dim, window, "max", class_tokens)
