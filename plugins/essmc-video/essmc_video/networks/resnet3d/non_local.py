"""Non-local block: attention of every position of a clip over all others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from essmc_core.errors import ConfigError
from essmc_video.arguments.option_names import BatchNormArgument
from essmc_video.layers.batch_norm import batch_norm
from essmc_video.layers.conv3d import Conv3d


class NonLocal(nn.Module):
    """Embedded-Gaussian attention over time and space, added to its input.

    Wang et al., "Non-local Neural Networks", CVPR 2018, with scores divided by the root of the embedding's width.

    Args:
        dim_in: channels of the input; at least 2.
        num_filters: channels of the output; the sum with the input asks for the same number.
        bn_params: arguments of the batch norm, except that its eps is always 1e-5.

    Raises:
        ConfigError: the two numbers of channels differ, or are too small to halve.
    """

    def __init__(self, dim_in: int, num_filters: int, bn_params: Mapping[BatchNormArgument, Any] | None = None) -> None:
        super().__init__()
        if dim_in != num_filters or dim_in < 2:
            raise ConfigError(
                f"NonLocal adds its output to its input, got dim_in={dim_in} and num_filters={num_filters}",
                hint="give both the same number, 2 or more",
            )
        self.dim_in = dim_in
        self.num_filters = num_filters
        self.dim_middle = dim_in // 2
        self.qconv = Conv3d(dim_in, self.dim_middle, kernel_size=1)
        self.kconv = Conv3d(dim_in, self.dim_middle, kernel_size=1)
        self.vconv = Conv3d(dim_in, self.dim_middle, kernel_size=1)
        self.out_conv = Conv3d(self.dim_middle, num_filters, kernel_size=1)
        self.out_bn = batch_norm(num_filters, {**(bn_params or {}), "eps": 1e-5})

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, T, H, W) to the same shape."""
        batch, _, frames, height, width = x.shape
        query = self.qconv(x).flatten(2).transpose(1, 2)
        key = self.kconv(x).flatten(2).transpose(1, 2)
        value = self.vconv(x).flatten(2).transpose(1, 2)
        attended = functional.scaled_dot_product_attention(query, key, value)
        attended = attended.transpose(1, 2).reshape(batch, self.dim_middle, frames, height, width)
        out: Tensor = self.out_bn(self.out_conv(attended))
        return x + out
