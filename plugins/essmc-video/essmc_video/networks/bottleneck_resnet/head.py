"""Head that classifies every pooling window and averages the scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from essmc_core import FeatureDim
from essmc_core.contract.heads import check_head_arguments
from essmc_core.contract.recording import is_tracing
from essmc_core.errors import ConfigError, InputError
from essmc_video.layers.window_pool import WindowPool3d


class WindowPoolHead(nn.Module):
    """Average over windows, dropout, the linear layer ``out``, mean over windows: (N, dim, T, H, W) → (N, num_classes).

    Where the window is smaller than the features, the scores of several windows are averaged. As pytorchvideo
    defines it. Weights start as normal numbers of deviation 0.01, biases as zero.

    Args:
        dim: channels of the features; those of the backbone, if not given.
        num_classes: number of classes.
        dropout_rate: chance of dropping a feature, in [0, 1].
        pool_kernel_size: (time, height, width) of the window; None for one window as large as the features.
        average: what is averaged over windows: the scores, or the probabilities of the softmax in each window. For the
            latter the head returns the logarithm of their sum, whose softmax is the mean probability.

    Raises:
        ConfigError: unknown ``average``, ``pool_kernel_size`` has not three numbers, a number of classes below 1, or a
            chance outside [0, 1].
    """

    def __init__(
        self,
        dim: FeatureDim,
        num_classes: int,
        dropout_rate: float = 0.5,
        pool_kernel_size: Sequence[int] | None = None,
        average: Literal["scores", "probabilities"] = "scores",
    ) -> None:
        super().__init__()
        check_head_arguments(self, (num_classes,), dropout_rate)
        if average not in ("scores", "probabilities"):
            raise ConfigError(f"average is 'scores' or 'probabilities', got {average!r}")
        self.dim = dim
        self.num_classes = num_classes
        self.average = average
        self.pool = WindowPool3d(pool_kernel_size)
        self.dropout = nn.Dropout(dropout_rate)
        self.out = nn.Linear(dim, num_classes)
        start_small(self.out)

    def forward(self, features: Tensor) -> Tensor:
        """Returns raw scores (N, num_classes).

        Raises:
            InputError: features of another rank or width, or smaller than the window.
        """
        check_channels(self, features, self.dim)
        pooled = self.pool(features).permute(0, 2, 3, 4, 1)
        scores = self.out(self.dropout(pooled)).flatten(1, 3)
        return mean_of_windows(scores, self.average)


def check_channels(head: nn.Module, features: Tensor, dim: int) -> None:
    """Refuses features that are not as wide as the head expects.

    Raises:
        InputError: says both widths.
    """
    if features.ndim != 5 or (not is_tracing() and features.shape[1] != dim):
        raise InputError(
            f"{type(head).__name__} takes features of shape (N, {dim}, T, H, W), got {tuple(features.shape)}",
            hint="leave out the neck, since the head pools" if features.ndim != 5 else "set the head's dim",
        )


def mean_of_windows(scores: Tensor, average: str) -> Tensor:
    """Returns scores (N, K) of scores (N, windows, K): their mean, or those whose softmax is the mean probability."""
    if average == "scores":
        return scores.mean(dim=1)
    return torch.log_softmax(scores, dim=2).logsumexp(dim=1)


def start_small(linear: nn.Linear) -> None:
    """Initialises a classifying layer: weights of deviation 0.01, biases zero."""
    nn.init.normal_(linear.weight, std=0.01)
    nn.init.zeros_(linear.bias)
