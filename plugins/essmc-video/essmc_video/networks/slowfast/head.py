"""Head over the features of both paths."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from essmc_core import FeatureDim
from essmc_core.contract.heads import check_head_arguments
from essmc_core.contract.recording import is_tracing
from essmc_core.errors import InputError
from essmc_video.layers.window_pool import WindowPool3d
from essmc_video.networks.bottleneck_resnet.head import start_small
from essmc_video.networks.slowfast.rules import check_windows


class SlowFastHead(nn.Module):
    """Averages each path, concatenates, dropout, the linear layer ``out``, mean over windows: → (N, num_classes).

    With ``pool_kernel_sizes`` every window is classified and the scores are averaged, as pytorchvideo does; without,
    each path is averaged as a whole, as TAdaConv does, which is also what already pooled features are taken for.
    Weights start as normal numbers of deviation 0.01, biases as zero.

    Args:
        dim: channels of both paths together; those of the backbone, if not given.
        num_classes: number of classes.
        dropout_rate: chance of dropping a feature, in [0, 1].
        pool_kernel_sizes: (time, height, width) of the window on the slow path, and on the fast path.

    Raises:
        ConfigError: ``pool_kernel_sizes`` is not two triples, a number of classes below 1, or a chance outside [0, 1].
    """

    def __init__(
        self,
        dim: FeatureDim,
        num_classes: int,
        dropout_rate: float = 0.5,
        pool_kernel_sizes: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        check_head_arguments(self, (num_classes,), dropout_rate)
        check_windows(pool_kernel_sizes)
        sizes = (None, None) if pool_kernel_sizes is None else tuple(pool_kernel_sizes)
        self.dim = dim
        self.num_classes = num_classes
        self.slow_pool, self.fast_pool = (WindowPool3d(size) for size in sizes)
        self.dropout = nn.Dropout(dropout_rate)
        self.out = nn.Linear(dim, num_classes)
        start_small(self.out)

    def forward(self, paths: Sequence[Tensor]) -> Tensor:
        """Returns raw scores (N, num_classes).

        Args:
            paths: slow and fast features, (N, C, T, H, W) or pooled (N, C).

        Raises:
            InputError: not two features, other channels, smaller than the windows, or of unequal numbers of windows.
        """
        if isinstance(paths, Tensor) or len(paths) != 2:
            raise InputError("SlowFastHead takes the features of two paths", hint="use it behind the backbone SlowFast")
        slow, fast = (
            pool(path if path.ndim == 5 else path[:, :, None, None, None])
            for pool, path in zip((self.slow_pool, self.fast_pool), paths, strict=True)
        )
        tracing = is_tracing()
        if not tracing and slow.shape[2:] != fast.shape[2:]:
            raise InputError(
                f"the slow path has {tuple(slow.shape[2:])} windows and the fast path {tuple(fast.shape[2:])}",
                hint="give clips of the length that pool_kernel_sizes is for, or build the head without it",
            )
        if not tracing and slow.shape[1] + fast.shape[1] != self.dim:
            raise InputError(
                f"SlowFastHead takes {self.dim} channels and got {slow.shape[1]} + {fast.shape[1]}",
                hint="set the head's dim",
            )
        pooled = torch.cat([slow, fast], dim=1).permute(0, 2, 3, 4, 1)
        scores: Tensor = self.out(self.dropout(pooled)).flatten(1, 3).mean(dim=1)
        return scores
