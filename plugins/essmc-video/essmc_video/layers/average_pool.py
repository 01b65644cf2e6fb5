"""Average pooling that keeps the shape of a clip."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from essmc_core.contract.processors import table
from essmc_core.contract.recording import is_recorded
from essmc_core.errors import ConfigError
from essmc_video.layers.conv_chain import triple


class SameAvgPool3d(nn.Module):
    """Mean over a window around each position; beyond its edges a clip counts as zero.

    Equals `torch.nn.AvgPool3d` at stride 1 with half the window as padding, and takes clips shorter than the window.
    The table `essmc_core.contract.processors.table` says why time and space are averaged one after the other.

    Args:
        kernel_size: (time, height, width), odd.

    Raises:
        ConfigError: a size is even.
    """

    def __init__(self, kernel_size: Sequence[int]) -> None:
        super().__init__()
        self.kernel_size = triple("kernel_size", kernel_size)
        if any(size % 2 == 0 for size in self.kernel_size):
            raise ConfigError(f"an average that keeps the shape has odd sizes, got {self.kernel_size}")

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, T, H, W) to the same shape."""
        time, height, width = self.kernel_size
        if not is_recorded() and table.AVERAGE_AS_PICTURE.applies(self.kernel_size, x):
            picture = functional.avg_pool2d(x.flatten(3), (time, 1), stride=1, padding=(time // 2, 0))
            # A clip that is alone may look contiguous to the kernel, whose output then is.
            x = torch.unflatten(picture, 3, x.shape[3:]).contiguous(memory_format=torch.channels_last_3d)
        elif table.AVERAGE_BY_SLICES.applies(self.kernel_size):
            frames = x.shape[2]
            padded = functional.pad(x, [0, 0, 0, 0, time // 2, time // 2])
            x = padded[:, :, :frames]
            for shift in range(1, time):
                x = x + padded[:, :, shift : shift + frames]
            x = x / time
        if height > 1 or width > 1:
            padded = functional.pad(x, [width // 2, width // 2, height // 2, height // 2])
            x = functional.avg_pool3d(padded, (1, height, width), stride=1)
        return x

    def plain_forward(self, x: Tensor) -> Tensor:
        """Computes the same by PyTorch's own kernel, for graphs in which it is to be one operation."""
        if x.shape[2] < self.kernel_size[0]:
            # PyTorch's own takes no clip that is shorter than the window.
            return type(self).forward(self, x)
        padding = tuple(size // 2 for size in self.kernel_size)
        return functional.avg_pool3d(x, self.kernel_size, stride=1, padding=padding)

    def extra_repr(self) -> str:
        """Returns the window."""
        return f"kernel_size={self.kernel_size}"
