"""Depthwise convolution whose output channels are calibrated frame by frame."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from essmc_video.layers.frames import scale_frames, to_clips, to_images


class CalibratedDepthwiseConv(nn.Module):
    """Weights of a 2D depthwise convolution of every frame, and the convolution at a given calibration.

    Huang et al., "Temporally-Adaptive Models for Efficient Video Understanding", 2023, section 3. A depthwise kernel
    that is scaled by alpha gives alpha times its output, so that one plain convolution does for all frames. Weights
    keep the shapes of published checkpoints, (1, 1, C, 1, k, k) and (1, 1, C).

    Args:
        channels: channels of input and output.
        kernel_size: height and width, odd; the input is padded to keep its size.
    """

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.channels = channels
        self.kernel_size = kernel_size
        self.weight = nn.Parameter(torch.empty(1, 1, channels, 1, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.empty(1, 1, channels))
        nn.init.kaiming_uniform_(self.weight[0, 0], a=math.sqrt(5))
        nn.init.uniform_(self.bias, -1 / kernel_size, 1 / kernel_size)

    def convolve(self, x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
        """Returns alpha · (W ∗ x) + beta · b.

        Args:
            x: features (N, C, T, H, W).
            alpha: scale of the weights, (N, C, T, 1, 1).
            beta: scale of the bias, likewise.

        Returns:
            (N, C, T, H, W).
        """
        weight, padding = self.weight.flatten(0, 2), self.kernel_size // 2
        filtered = functional.conv2d(to_images(x), weight, padding=padding, groups=self.channels)
        bias = beta * self.bias.reshape(1, self.channels, 1, 1, 1)
        return scale_frames(to_clips(filtered, x.shape[2]), alpha) + bias

    def extra_repr(self) -> str:
        """Returns the arguments."""
        return f"{self.channels}, kernel_size={self.kernel_size}"


class TAdaDepthwiseConv(CalibratedDepthwiseConv):
    """2D depthwise convolution of every frame, with weights and bias that are scaled per frame and channel.

    Args:
        channels: channels of input and output.
        kernel_size: height and width, odd; the input is padded to keep its size.
    """

    def forward(self, x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
        """Maps (N, C, T, H, W), and two calibrations (N, C, T, 1, 1), to (N, C, T, H, W)."""
        return self.convolve(x, alpha, beta)
