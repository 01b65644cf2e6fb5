"""A convolution in float32 within a computation in bfloat16."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def convolve_in_float32(conv: nn.Conv3d, input: Tensor) -> Tensor:
    """Returns the output of a convolution computed in float32, rounded to bfloat16."""
    with torch.autocast("cpu", enabled=False):
        bias = None if conv.bias is None else conv.bias.float()
        exact: Tensor = conv._conv_forward(input.float(), conv.weight.float(), bias)
        return exact.bfloat16()
