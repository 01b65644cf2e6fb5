"""What calibrates the convolutions of the second generation: temporal convolutions around attention over time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from essmc_video.layers.frames import spatial_means
from essmc_video.layers.quick_gelu import quick_gelu
from essmc_video.networks.tadaconvnext.rules import check_route


class TemporalConv(nn.Conv3d):
    """Convolution over time alone, computed in one dimension; weights keep the shape (out, in, k, 1, 1).

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
        kernel_size: frames, odd; the input is padded with zeros to keep its length.
        bias: add a bias.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel_size: int, bias: bool = True) -> None:
        super().__init__(channels_in, channels_out, (kernel_size, 1, 1), padding=(kernel_size // 2, 0, 0), bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """Maps (N, channels_in, T) to (N, channels_out, T)."""
        return functional.conv1d(input, self.weight.flatten(2), self.bias, padding=self.kernel_size[0] // 2)


class PointwiseConv(nn.Conv3d):
    """1×1×1 convolution of features whose channels come last; weights keep the shape (out, in, 1, 1, 1).

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, kernel_size=1)

    def forward(self, input: Tensor) -> Tensor:
        """Maps (..., channels_in) to (..., channels_out)."""
        return functional.linear(input, self.weight.flatten(1), self.bias)


class RouteFunction(nn.Module):
    """Calibration of weights and biases, one number per clip, channel and frame.

    Huang et al., "Temporally-Adaptive Models for Efficient Video Understanding", 2023, section 3.2. Two details are
    those of the published networks: attention is scaled by the root of the whole inner width, and within queries,
    keys and values the head is the index that runs fastest.

    Args:
        channels: channels of the features, and of the calibration.
        reduction: channels over inner channels.
        kernel_sizes: frames that the first and the last convolution see, odd.
        head_dim: width of an attention head; divides the inner channels.
        zero_init: start as the constant one; otherwise the calibration is what the last convolutions return.

    Raises:
        ConfigError: the widths do not fit.
    """

    def __init__(
        self, channels: int, reduction: int, kernel_sizes: Sequence[int], head_dim: int, zero_init: bool
    ) -> None:
        super().__init__()
        check_route(channels, reduction, head_dim)
        inner = channels // reduction
        first, last = kernel_sizes
        self.heads = inner // head_dim
        self.head_dim = head_dim
        self.scale = inner**-0.5
        self.zero_init = zero_init
        self.a = TemporalConv(channels, inner, first)
        self.norm = nn.LayerNorm(inner, eps=1e-6)
        self.norm_transformer = nn.LayerNorm(inner, eps=1e-6)
        self.qkv_proj = PointwiseConv(inner, 3 * inner)
        self.attn_out = PointwiseConv(inner, inner)
        self.b = TemporalConv(inner, channels, last, bias=False)
        self.b_bias = TemporalConv(inner, channels, last, bias=False)
        if zero_init:
            self.init_as_identity()

    def init_as_identity(self) -> None:
        """Zeroes the last convolutions, which makes every calibration one."""
        nn.init.zeros_(self.b.weight)
        nn.init.zeros_(self.b_bias.weight)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (N, C, T, H, W) to the scales of weights and of biases, (N, C, T, 1, 1) each."""
        hidden = quick_gelu(self.norm(self.a(spatial_means(x).flatten(2)).transpose(1, 2)))
        hidden = hidden + self.attn_out(self._attend(self.qkv_proj(self.norm_transformer(hidden))))
        hidden = hidden.transpose(1, 2)
        offset = 1 if self.zero_init else 0
        alpha, beta = self.b(hidden) + offset, self.b_bias(hidden) + offset
        return alpha[..., None, None], beta[..., None, None]

    def _attend(self, qkv: Tensor) -> Tensor:
        """Maps (N, T, 3 · inner) to (N, T, inner)."""
        # Within a third, the head is the index that runs fastest.
        query, key, value = torch.unflatten(qkv, 2, (3, self.head_dim, self.heads)).permute(2, 0, 4, 1, 3).unbind(0)
        attended = functional.scaled_dot_product_attention(query, key, value, scale=self.scale)
        return attended.transpose(1, 2).flatten(2)
