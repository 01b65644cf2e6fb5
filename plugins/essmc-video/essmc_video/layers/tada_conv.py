"""Temporally adaptive convolution, and the function that calibrates it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from essmc_core.contract.processors import table
from essmc_core.contract.recording import is_recorded
from essmc_core.errors import ConfigError
from essmc_video.layers.conv3d import Conv3d
from essmc_video.layers.conv_chain import Triple
from essmc_video.layers.frames import scale_frames, spatial_means, to_clips, to_images


class TAdaConv2d(nn.Module):
    """2D convolution of every frame, with weights that are scaled per frame and input channel.

    Huang et al., "TAda! Temporally-Adaptive Convolutions for Video Understanding", ICLR 2022, equation 3. Scaling an
    input channel of the weights equals scaling that channel of the input, so frames become one batch of images under
    plain weights. The weights keep the shape of published checkpoints, (1, 1, out, in / groups, height, width).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: one number for height and width, (height, width), or (1, height, width).
        stride: like ``kernel_size``.
        padding: like ``kernel_size``, with 0 for time.
        dilation: like ``kernel_size``.
        groups: groups of channels.
        bias: add a bias, which is not calibrated.

    Raises:
        ConfigError: an argument reaches over time.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = _over_space("kernel_size", kernel_size, time=1)
        self.stride = _over_space("stride", stride, time=1)
        self.padding = _over_space("padding", padding, time=0)
        self.dilation = _over_space("dilation", dilation, time=1)
        self.groups = groups
        self.weight = nn.Parameter(torch.empty(1, 1, out_channels, in_channels // groups, *self.kernel_size[1:]))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weights as a Conv2d does; the two leading ones of the shape do not count as fan-in."""
        nn.init.kaiming_uniform_(self.weight[0, 0], a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.weight[0, 0, 0].numel())
            nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor, alpha: Tensor) -> Tensor:
        """Convolves each frame.

        Args:
            x: features (N, C, T, H, W).
            alpha: calibration (N, C, T, 1, 1), or other five dimensions that broadcast to ``x``.

        Returns:
            (N, out_channels, T, H', W').
        """
        scaled = scale_frames(x, alpha)
        weight = self.weight.flatten(0, 2)  # a view, where the gradient of an index would be a tensor of zeros
        if not is_recorded() and table.ADAPTIVE_FRAMES_AS_CLIP.applies(x, self.kernel_size, self.groups):
            clips: Tensor = functional.conv3d(
                scaled, weight.unsqueeze(2), self.bias, self.stride, self.padding, self.dilation, self.groups
            )
            return clips
        images = functional.conv2d(
            to_images(scaled),
            weight,
            self.bias,
            stride=self.stride[1:],
            padding=self.padding[1:],
            dilation=self.dilation[1:],
            groups=self.groups,
        )
        return to_clips(images, x.shape[2])

    def plain_forward(self, x: Tensor, alpha: Tensor) -> Tensor:
        """Computes the same as one convolution of the clip, for graphs in which it is to be one operation."""
        return functional.conv3d(
            x * alpha,
            self.weight.flatten(0, 2).unsqueeze(2),
            self.bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )

    def extra_repr(self) -> str:
        """Returns the arguments that differ from layer to layer."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, groups={self.groups}, bias={self.bias is not None}"
        )


def _over_space(name: str, value: int | Sequence[int], time: int) -> Triple:
    sizes = (time, value, value) if isinstance(value, int) else tuple(value)
    if len(sizes) == 2:
        sizes = (time, *sizes)
    if len(sizes) != 3 or sizes[0] != time:
        raise ConfigError(
            f"TAdaConv2d works frame by frame, got {name}={value}",
            hint=f"give a number, (height, width), or ({time}, height, width)",
        )
    return sizes


class RouteFuncMLP(nn.Module):
    """Calibration weights of a TAdaConv2d from the features it will convolve.

    Spatial means per frame plus a transformed mean of the clip pass two temporal convolutions; ICLR 2022 paper,
    equation 5. Starts as the constant one.

    Args:
        c_in: channels.
        ratio: channels over hidden channels.
        kernels: temporal kernel sizes of the two convolutions.
        bn_eps: eps of the batch norm between them.
        bn_mmt: its momentum.

    Raises:
        ConfigError: the ratio is larger than the number of channels.
    """

    def __init__(
        self, c_in: int, ratio: int, kernels: Sequence[int], bn_eps: float = 1e-5, bn_mmt: float = 0.1
    ) -> None:
        super().__init__()
        hidden = c_in // ratio
        if hidden < 1:
            raise ConfigError(f"no hidden channel is left of {c_in} at a ratio of {ratio}", hint="lower the ratio")
        self.c_in = c_in
        self.g = Conv3d(c_in, c_in, kernel_size=1)
        self.a = Conv3d(c_in, hidden, (kernels[0], 1, 1), padding=(kernels[0] // 2, 0, 0))
        self.bn = nn.BatchNorm3d(hidden, eps=bn_eps, momentum=bn_mmt)
        self.relu = nn.ReLU(inplace=True)
        self.b = Conv3d(hidden, c_in, (kernels[1], 1, 1), padding=(kernels[1] // 2, 0, 0), bias=False)
        self.init_as_identity()

    def init_as_identity(self) -> None:
        """Zeroes the last convolution, which makes every calibration weight one."""
        nn.init.zeros_(self.b.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, T, H, W) to (N, C, T, 1, 1)."""
        frames = spatial_means(x)
        clip = frames.mean(dim=2, keepdim=True)
        hidden = self.relu(self.bn(self.a(frames + self.g(clip))))
        weights: Tensor = self.b(hidden) + 1
        return weights
