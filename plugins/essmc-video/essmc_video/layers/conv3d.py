"""3D convolution that is fast where it is really one of fewer dimensions, and exact in bfloat16 on CPUs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from essmc_core.contract.processors import table
from essmc_core.contract.processors.float32 import convolve_in_float32
from essmc_core.contract.recording import is_recorded
from essmc_video.layers.frames import to_clips, to_images


class Conv3d(nn.Conv3d):
    """`torch.nn.Conv3d` with the same parameters and numbers, except where those would be slow or wrong.

    The table `essmc_core.contract.processors.table` says when and why it takes another way. The memory format of the
    input, contiguous or channels last, is that of the output.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Maps (N, in_channels, T, H, W) to (N, out_channels, T', H', W')."""
        if table.SHORT_CLIPS_IN_FLOAT32.applies(self, input):
            return convolve_in_float32(self, input)
        if isinstance(self.padding, str) or self.padding_mode != "zeros" or input.dim() != 5:
            return super().forward(input)
        over_time_alone = table.OVER_TIME_AS_PICTURE.applies(self)
        if not is_recorded():
            by_frame = table.STRIDED_POINTWISE_BY_FRAME if over_time_alone else table.SMALL_CLIP_BY_FRAME
            if by_frame.applies(self, input):
                return self._over_frames(input)
            if table.POINTWISE_AS_PRODUCT.applies(self, input):
                return self._product(input)
        return self._over_time(input) if over_time_alone else super().forward(input)

    def plain_forward(self, input: Tensor) -> Tensor:
        """Computes the same by PyTorch's own kernel, for graphs in which it is to be one operation."""
        return super().forward(input)

    def _product(self, input: Tensor) -> Tensor:
        weights = self.weight.flatten(1).expand(input.shape[0], -1, -1)
        return torch.unflatten(torch.bmm(weights, input.flatten(2)), 2, input.shape[2:])

    def _over_time(self, input: Tensor) -> Tensor:
        over_one_position = self.kernel_size[0] == 1 and self.padding[0] == 0
        step = self.stride[0] if over_one_position else 1
        if table.POSITIONS_PICKED_FIRST.applies((step, self.stride[1], self.stride[2])):
            input = input[:, :, ::step, :: self.stride[1], :: self.stride[2]]
        picture = functional.conv2d(
            input.flatten(3),
            self.weight.squeeze(4),
            self.bias,
            stride=(self.stride[0] // step, 1),
            padding=(int(self.padding[0]), 0),
            dilation=(self.dilation[0], 1),
            groups=self.groups,
        )
        return torch.unflatten(picture, 3, input.shape[3:])

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
