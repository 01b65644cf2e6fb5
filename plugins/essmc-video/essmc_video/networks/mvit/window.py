"""The window that a pool moves over a grid of tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from essmc_video.arguments.sizes import Triple, triple


@dataclass(frozen=True, slots=True)
class Window:
    """A window, padded by half of its size.

    Attributes:
        kernel_size: (time, height, width).
        stride: likewise.
    """

    kernel_size: Triple
    stride: Triple

    @classmethod
    def of_stride(cls, stride: Sequence[int], kernel_size: Sequence[int] | None = None) -> Window:
        """Returns a window of a size, by default one that overlaps its neighbours by one wherever it skips places.

        Raises:
            ConfigError: not three numbers.
        """
        steps = triple("stride", stride)
        if kernel_size is None:
            return cls((_overlapping(steps[0]), _overlapping(steps[1]), _overlapping(steps[2])), steps)
        return cls(triple("kernel_size", kernel_size), steps)

    @property
    def padding(self) -> Triple:
        """Zeros on either side, (time, height, width)."""
        time, height, width = self.kernel_size
        return time // 2, height // 2, width // 2

    @property
    def changes_nothing(self) -> bool:
        """Whether it sees one place at a time and skips none."""
        return math.prod(self.kernel_size) == math.prod(self.stride) == 1

    def pooled(self, grid: Triple) -> Triple:
        """Returns how many tokens along time, height and width are left of a grid."""
        time, height, width = (
            (size + 2 * padding - kernel) // stride + 1
            for size, padding, kernel, stride in zip(grid, self.padding, self.kernel_size, self.stride, strict=True)
        )
        return time, height, width


def _overlapping(stride: int) -> int:
    return stride + 1 if stride > 1 else 1
