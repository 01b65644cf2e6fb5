"""Max pooling over space and then time."""

from __future__ import annotations

from torch import nn

from essmc_core.contract.processors import table


class SeparableMaxPool3d(nn.Sequential):
    """`torch.nn.MaxPool3d` of a cube as two poolings: same numbers and, between equal maxima, the same gradients.

    Args:
        kernel_size: of time, height and width.
        stride: likewise.
        padding: likewise.
    """

    def __init__(self, kernel_size: int, stride: int, padding: int = 0) -> None:
        if not table.MAXIMUM_SPACE_FIRST.applies(kernel_size):
            super().__init__(nn.MaxPool3d(kernel_size, stride, padding))
            return
        # Space first: the first maximum of a window is then in the first frame that has it, as in a window over both.
        super().__init__(
            nn.MaxPool3d((1, kernel_size, kernel_size), (1, stride, stride), (0, padding, padding)),
            nn.MaxPool3d((kernel_size, 1, 1), (stride, 1, 1), (padding, 0, 0)),
        )
