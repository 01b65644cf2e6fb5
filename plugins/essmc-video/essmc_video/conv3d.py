"""3D convolution that is fast where it is really one of fewer dimensions, and exact in bfloat16 on CPUs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from essmc_core.contract.recording import is_recorded
from essmc_video.frames import to_clips, to_images
from essmc_video.memory_layout import is_channels_last

CHANNELS_OF_A_BLOCK = 32
"""oneDNN convolves channels in blocks of this many; other widths leave the last one partly empty."""
CHANNELS_OF_A_REGISTER = 8
"""Numbers that processors with AVX2 compute with at once."""
ENTRIES_OF_A_SMALL_CLIP = 20480
"""Up to so many entries of batch, channels, time and height PyTorch unfolds a clip that is alone."""


class Conv3d(nn.Conv3d):
    """`torch.nn.Conv3d` with the same parameters and numbers, except where those would be slow or wrong.

    A kernel that reaches over one position of space (pointwise and temporal convolutions) slides over a picture of time
    by space, (N, C, T, H * W), which takes no copy. Where a small clip comes alone to a CPU, a kernel that reaches over
    one frame sees each frame as a picture. For both, PyTorch has faster kernels: its 3D ones would unfold the clip.
    On CPUs a pointwise convolution of odd widths, such as X3D's, is a plain matrix product, which takes half the time.
    The order in memory, torch's own or channels last, stays that of the input.

    On CPUs in bfloat16, with padding in time and fewer frames than the kernel is long, oneDNN returns gradients of any
    size up to infinity (seen in torch 2.14). Late stages get there on short clips. Those convolutions run in float32.

    On CPUs with AVX2 and no more, the gradient of strided pointwise weights of two to seven input channels is wrong,
    never comes, or ends the process, where inputs are channels last (likewise). There, and wherever a pointwise
    convolution is strided in time, positions are picked out first, so that no such convolution is left.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Maps (N, in_channels, T, H, W) to (N, out_channels, T', H', W')."""
        if _in_bfloat16_on_cpu(input) and self._gradient_breaks(input):
            with torch.autocast("cpu", enabled=False):
                bias = None if self.bias is None else self.bias.float()
                exact: Tensor = self._conv_forward(input.float(), self.weight.float(), bias)
                return exact.bfloat16()
        if isinstance(self.padding, str) or self.padding_mode != "zeros" or input.dim() != 5:
            return super().forward(input)
        over_time_only = self.kernel_size[1:] == (1, 1) and self.padding[1:] == (0, 0)
        if not is_recorded():
            if self._is_faster_by_frame(input, over_time_only):
                return self._over_frames(input)
            if self._is_faster_as_product(input):
                return self._product(input)
        return self._over_time(input) if over_time_only else super().forward(input)

    def _is_faster_by_frame(self, input: Tensor, over_time_only: bool) -> bool:
        if self.kernel_size[0] != 1 or self.stride[0] != 1 or self.padding[0] != 0:
            return False
        if over_time_only:
            # Channels last, frames are pictures as they lie, and positions need not be picked out first.
            wide = self.in_channels // self.groups >= CHANNELS_OF_A_REGISTER
            return wide and self.stride[1:] != (1, 1) and is_channels_last(input)
        return input.device.type == "cpu" and not is_fast_as_clip(input, self.kernel_size, self.groups)

    def _is_faster_as_product(self, input: Tensor) -> bool:
        pointwise = self.kernel_size == self.stride == (1, 1, 1) and self.padding == (0, 0, 0)
        if not pointwise or self.groups != 1 or self.bias is not None:
            return False
        fills_blocks = self.in_channels % CHANNELS_OF_A_BLOCK == 0 == self.out_channels % CHANNELS_OF_A_BLOCK
        return input.device.type == "cpu" and not fills_blocks and not is_channels_last(input)

    def _product(self, input: Tensor) -> Tensor:
        weights = self.weight.flatten(1).expand(input.shape[0], -1, -1)
        return torch.bmm(weights, input.flatten(2)).unflatten(2, input.shape[2:])

    def _over_time(self, input: Tensor) -> Tensor:
        over_one_position = self.kernel_size[0] == 1 and self.padding[0] == 0
        step = self.stride[0] if over_one_position else 1
        if (step, *self.stride[1:]) != (1, 1, 1):
            input = input[:, :, ::step, :: self.stride[1], :: self.stride[2]]
        picture = functional.conv2d(
            input.flatten(3),
            self.weight.squeeze(4),
            self.bias,
            stride=(self.stride[0] // step, 1),
            padding=(self.padding[0], 0),
            dilation=(self.dilation[0], 1),
            groups=self.groups,
        )
        return picture.unflatten(3, input.shape[3:])

    def _over_frames(self, input: Tensor) -> Tensor:
        frames = functional.conv2d(
            to_images(input),
            self.weight.squeeze(2),
            self.bias,
            stride=self.stride[1:],
            padding=self.padding[1:],
            dilation=self.dilation[1:],
            groups=self.groups,
        )
        return to_clips(frames, input.shape[2])

    def _gradient_breaks(self, input: Tensor) -> bool:
        wanted = torch.is_grad_enabled() and self.weight.requires_grad
        return wanted and self.padding[0] != 0 and input.shape[2] < self.kernel_size[0]


def is_fast_as_clip(clip: Tensor, kernel_size: Sequence[int], groups: int) -> bool:
    """Tells whether PyTorch leaves a 3D convolution on a CPU to oneDNN, which needs no copies.

    Args:
        clip: the input (N, C, T, H, W).
        kernel_size: (time, height, width).
        groups: groups of channels.
    """
    if clip.shape[0] > 1 or groups > 1 or min(kernel_size[1:]) > 3:
        return True
    return clip.shape[:4].numel() > ENTRIES_OF_A_SMALL_CLIP


def _in_bfloat16_on_cpu(input: Tensor) -> bool:
    if input.device.type != "cpu":
        return False
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu") == torch.bfloat16
    return input.dtype == torch.bfloat16
