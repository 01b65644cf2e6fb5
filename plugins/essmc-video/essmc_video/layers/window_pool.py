"""Average over windows of fixed size, or over everything."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from essmc_core.contract.processors import table
from essmc_core.contract.recording import is_tracing
from essmc_core.errors import InputError
from essmc_video.layers.conv_chain import triple


class WindowPool3d(nn.Module):
    """Mean over windows that move by one position: (N, C, T, H, W) → (N, C, T - t + 1, H - h + 1, W - w + 1).

    Args:
        kernel_size: (t, h, w) of the window; None for one window as large as the features.

    Raises:
        ConfigError: ``kernel_size`` has not three numbers.
    """

    def __init__(self, kernel_size: Sequence[int] | None = None) -> None:
        super().__init__()
        self.kernel_size = None if kernel_size is None else triple("pool_kernel_size", kernel_size)

    def forward(self, features: Tensor) -> Tensor:
        """Pools features.

        Raises:
            InputError: features smaller than the window, or of another rank.
        """
        if features.ndim != 5:
            raise InputError(
                f"the head takes features of shape (N, C, T, H, W), got {tuple(features.shape)}",
                hint="leave out the neck, since the head pools",
            )
        if self.kernel_size is None:
            return features.mean(dim=(2, 3, 4), keepdim=True)
        tracing = is_tracing()
        sizes = zip(features.shape[2:], self.kernel_size, strict=True)
        if not tracing and any(size < window for size, window in sizes):
            raise InputError(
                f"the head averages windows of (time, height, width) {self.kernel_size} and got features of "
                f"{tuple(features.shape[2:])}",
                hint="give longer or larger clips, or build the head with pool_kernel_size that fits or null",
            )
        if not tracing and table.ONE_WINDOW_AS_MEAN.applies(self.kernel_size, features):
            return features.mean(dim=(2, 3, 4), keepdim=True)
        return functional.avg_pool3d(features, self.kernel_size, stride=1)

    def extra_repr(self) -> str:
        """Returns the window."""
        return f"kernel_size={self.kernel_size}"
