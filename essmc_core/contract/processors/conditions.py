"""The conditions of the routes. Layers evaluate them in every forward pass, so the cheapest test comes first."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from essmc_core.contract.processors.memory_format import is_channels_last

CHANNELS_OF_A_BLOCK = 32
"""Channels in a block of oneDNN's convolutions; other widths leave the last block partly empty."""
CHANNELS_OF_A_REGISTER = 8
"""float32 values in an AVX2 register."""
ENTRIES_OF_A_SMALL_CLIP = 20480
"""Largest product of batch, channels, time and height at which PyTorch unfolds a batch of one clip."""
FEW_PIXELS = 64
"""Feature maps with fewer pixels are convolved faster contiguous than channels last."""


def gradient_breaks_in_bfloat16(conv: nn.Conv3d, input: Tensor) -> bool:
    """Returns whether oneDNN may compute a wrong weight gradient for this convolution of (N, C, T, H, W)."""
    if input.device.type != "cpu" or not _computes_in_bfloat16(input):
        return False
    wanted = torch.is_grad_enabled() and conv.weight.requires_grad
    reach = (conv.kernel_size[0] - 1) * conv.dilation[0] + 1
    return wanted and pads_time(conv) and input.shape[-3] < reach


def pads_time(conv: nn.Conv3d) -> bool:
    """Returns whether a convolution may pad the time dimension."""
    return conv.padding == "same" if isinstance(conv.padding, str) else conv.padding[0] != 0


def _computes_in_bfloat16(input: Tensor) -> bool:
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu") == torch.bfloat16
    return input.dtype == torch.bfloat16


def reaches_over_time_alone(conv: nn.Conv3d) -> bool:
    """Returns whether the receptive field of a convolution is a single position in space."""
    return conv.kernel_size[1:] == (1, 1) and conv.padding[1:] == (0, 0)


def leaves_positions_out(stride: tuple[int, int, int]) -> bool:
    """Returns whether a pointwise convolution of this stride skips positions of its input."""
    return stride != (1, 1, 1)


def is_strided_pointwise(conv: nn.Conv3d, input: Tensor) -> bool:
    """Returns whether a convolution skips positions of channels-last frames, wide enough to fill a register."""
    if conv.kernel_size[0] != 1 or conv.stride[0] != 1 or conv.padding[0] != 0 or conv.stride[1:] == (1, 1):
        return False
    return conv.in_channels // conv.groups >= CHANNELS_OF_A_REGISTER and is_channels_last(input)


def unfolds_frames(conv: nn.Conv3d, input: Tensor) -> bool:
    """Returns whether PyTorch would unfold a clip for a convolution whose kernel covers one frame."""
    if conv.kernel_size[0] != 1 or conv.stride[0] != 1 or conv.padding[0] != 0:
        return False
    return input.device.type == "cpu" and _unfolds(input, conv.kernel_size, conv.groups)


def is_pointwise_of_odd_widths(conv: nn.Conv3d, input: Tensor) -> bool:
    """Returns whether the channels of a pointwise convolution, a matrix product, leave oneDNN's blocks partly empty."""
    pointwise = conv.kernel_size == conv.stride == (1, 1, 1) and conv.padding == (0, 0, 0)
    if not pointwise or conv.groups != 1 or conv.bias is not None:
        return False
    fills_blocks = conv.in_channels % CHANNELS_OF_A_BLOCK == 0 == conv.out_channels % CHANNELS_OF_A_BLOCK
    return input.device.type == "cpu" and not fills_blocks and not is_channels_last(input)


def keeps_frames_together(clips: Tensor, kernel_size: Sequence[int], groups: int) -> bool:
    """Returns whether frames of contiguous clips can be convolved without copying or unfolding them."""
    if clips.device.type != "cpu" or is_channels_last(clips):
        return False
    return not _unfolds(clips, kernel_size, groups)


def _unfolds(clips: Tensor, kernel_size: Sequence[int], groups: int) -> bool:
    """Returns whether PyTorch unfolds clips for a 3D convolution on a CPU instead of calling oneDNN."""
    if clips.shape[0] > 1 or groups > 1 or min(kernel_size[1:]) > 3:
        return False
    return clips.shape[:4].numel() <= ENTRIES_OF_A_SMALL_CLIP


def averages_over_time(kernel_size: Sequence[int]) -> bool:
    """Returns whether an average pooling over (time, height, width) covers several frames."""
    return kernel_size[0] > 1


def averages_channels_last_over_time(kernel_size: Sequence[int], clips: Tensor) -> bool:
    """Returns whether an average pooling over (time, height, width) covers several channels-last frames."""
    return kernel_size[0] > 1 and is_channels_last(clips)


def pools_a_cube(kernel_size: int) -> bool:
    """Returns whether a cubic pooling window of this size has more than one element."""
    return kernel_size > 1


def is_one_window(kernel_size: Sequence[int], features: Tensor) -> bool:
    """Returns whether a pooling window covers the features (N, C, T, H, W) entirely."""
    return tuple(features.shape[2:]) == tuple(kernel_size)


def sums_within_range(clips: Tensor) -> bool:
    """Returns whether the sum over a frame stays within the range of the dtype, as its mean does."""
    return clips.dtype != torch.float16


def is_large_map_for_onednn(features: Tensor) -> bool:
    """Returns whether oneDNN handles these features (N, C, T, H, W) and they have at least `FEW_PIXELS` pixels."""
    return _is_for_onednn(features) and features.shape[3] * features.shape[4] >= FEW_PIXELS


def is_small_map_for_onednn(features: Tensor) -> bool:
    """Returns whether oneDNN handles these features (N, C, T, H, W) and they have fewer than `FEW_PIXELS` pixels."""
    return _is_for_onednn(features) and features.shape[3] * features.shape[4] < FEW_PIXELS


def _is_for_onednn(features: Tensor) -> bool:
    if features.dim() != 5 or features.device.type != "cpu":
        return False
    return bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call,unused-ignore]
