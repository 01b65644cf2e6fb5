"""3D convolution whose bfloat16 gradients can be trusted on CPUs."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Conv3d(nn.Conv3d):
    """`torch.nn.Conv3d`, except where its weight's gradient would be garbage.

    On CPUs in bfloat16, with padding in time and fewer frames than the kernel is long, oneDNN returns gradients of any
    size up to infinity (seen in torch 2.14). Late stages get there on short clips. Those convolutions run in float32.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Maps (N, in_channels, T, H, W) to (N, out_channels, T', H', W')."""
        if _in_bfloat16_on_cpu(input) and self._gradient_breaks(input):
            with torch.autocast("cpu", enabled=False):
                bias = None if self.bias is None else self.bias.float()
                exact: Tensor = self._conv_forward(input.float(), self.weight.float(), bias)
                return exact.bfloat16()
        return super().forward(input)

    def _gradient_breaks(self, input: Tensor) -> bool:
        wanted = torch.is_grad_enabled() and self.weight.requires_grad
        return wanted and self.padding[0] != 0 and input.shape[2] < self.kernel_size[0]


def _in_bfloat16_on_cpu(input: Tensor) -> bool:
    if input.device.type != "cpu":
        return False
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu") == torch.bfloat16
    return input.dtype == torch.bfloat16
