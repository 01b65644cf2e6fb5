"""Layer of TAdaFormer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from essmc_core.contract.annotations import Probability
from essmc_video.layers.drop_path import drop_path
from essmc_video.layers.quick_gelu import quick_gelu
from essmc_video.networks.tadaformer.rules import check_heads
from essmc_video.networks.tadaformer.tada_block import TAdaBlock


class FrameAttention(nn.Module):
    """Multi-head self-attention among the tokens of one frame, with the keys of `torch.nn.MultiheadAttention`.

    Args:
        width: width of the tokens.
        heads: number of heads; divides the width.

    Raises:
        ConfigError: the heads do not divide the width.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        check_heads(width, heads)
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Maps (N, T, L, width) to the same shape."""
        batch, frames, length, width = tokens.shape
        packed = functional.linear(tokens, self.in_proj_weight, self.in_proj_bias)
        packed = packed.reshape(batch * frames, length, 3, self.heads, width // self.heads)
        query, key, value = packed.permute(2, 0, 3, 1, 4).unbind(0)
        attended = functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.out_proj(attended.transpose(1, 2).reshape(batch, frames, length, width))
        return out


class QuickGELU(nn.Module):
    """x · sigmoid(1.702 x)."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps a tensor to the same shape."""
        return quick_gelu(x)


class TAdaFormerLayer(nn.Module):
    """Adaptive convolutions over time, attention within frames, perceptron; each added to the tokens.

    Huang et al., "Temporally-Adaptive Models for Efficient Video Understanding", 2023, section 4. The adaptive
    convolutions see the tokens as they are, without a norm, and leave class tokens alone.

    Args:
        width: width of the tokens.
        heads: heads of the attention.
        reduction: width over channels of the adaptive convolutions.
        route_reduction: those channels over inner channels of the route function.
        route_kernels: frames that the route function's two convolutions see.
        head_dim: width of the route function's attention heads.
        temporally_enhanced: let the projections into the adaptive convolutions see three frames.
        double_tada: put a second adaptive convolution behind the attention.
        drop_path_rate: chance of dropping each residual branch of a clip in train mode.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        reduction: int,
        route_reduction: int,
        route_kernels: Sequence[int],
        head_dim: int,
        temporally_enhanced: bool,
        double_tada: bool,
        drop_path_rate: Probability,
    ) -> None:
        super().__init__()
        tada = (width, reduction, route_reduction, route_kernels, head_dim, temporally_enhanced)
        self.tada = TAdaBlock(*tada)
        self.tada2 = TAdaBlock(*tada) if double_tada else None
        self.attn = FrameAttention(width, heads)
        self.ln_1 = nn.LayerNorm(width)
        layers = {"c_fc": nn.Linear(width, 4 * width), "gelu": QuickGELU(), "c_proj": nn.Linear(4 * width, width)}
        self.mlp = nn.Sequential(OrderedDict(layers))
        self.ln_2 = nn.LayerNorm(width)
        self.drop_path = drop_path(drop_path_rate)

    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """Maps tokens (N, T, 1 + h · w, width), class token first, to the same shape; ``grid`` is (h, w)."""
        x = self._add_tada(self.tada, x, grid)
        x = x + self.drop_path(self.attn(self.ln_1(x)))
        if self.tada2 is not None:
            x = self._add_tada(self.tada2, x, grid)
        out: Tensor = x + self.drop_path(self.mlp(self.ln_2(x)))
        return out

    def _add_tada(self, block: TAdaBlock, x: Tensor, grid: tuple[int, int]) -> Tensor:
        patches = x[:, :, 1:]
        return torch.cat([x[:, :, :1], patches + self.drop_path(block(patches, grid))], dim=2)
