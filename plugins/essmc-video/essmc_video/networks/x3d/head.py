"""X3D's head: widen, pool, one hidden layer, classify every window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core import FeatureDim
from essmc_core.contract.annotations import PositiveInt
from essmc_core.contract.heads import check_head_arguments
from essmc_video.arguments.option_names import BatchNormArgument
from essmc_video.layers.batch_norm import batch_norm
from essmc_video.layers.conv3d import Conv3d
from essmc_video.layers.window_pool import WindowPool3d
from essmc_video.networks.bottleneck_resnet.head import check_channels, start_small
from essmc_video.networks.x3d.initialization import initialize


class X3DHead(nn.Module):
    """Widening, pooling, hidden layer, dropout, linear layer ``out``: (N, dim, T, H, W) → (N, num_classes).

    Each pooling window is classified and the scores are averaged, so that on larger clips it is no global pooling.
    Feichtenhofer, "X3D: Expanding Architectures for Efficient Video Recognition", CVPR 2020, table 1.

    Args:
        dim: channels of the features; those of the backbone, if not given.
        num_classes: number of classes.
        dropout_rate: chance of dropping a hidden value, in [0, 1].
        dim_inner: channels that are pooled; the backbone's ``dim_inner``, which by default is 2.25 times its width.
        dim_hidden: width of the hidden layer.
        pool_kernel_size: (time, height, width) of the window: the frames of the clips and a 32nd of their height and
            width, rounded up; None for one window as large as the features.
        hidden_batch_norm: normalise the hidden layer.
        bn_params: arguments of every batch norm; without, eps is 1e-5 and momentum 0.1.

    Raises:
        ConfigError: ``pool_kernel_size`` has not three numbers, a number of classes below 1, or a chance
            outside [0, 1].
    """

    def __init__(
        self,
        dim: FeatureDim,
        num_classes: int,
        dropout_rate: float = 0.5,
        dim_inner: int | None = None,
        dim_hidden: PositiveInt = 2048,
        pool_kernel_size: Sequence[int] | None = None,
        hidden_batch_norm: bool = False,
        bn_params: Mapping[BatchNormArgument, Any] | None = None,
    ) -> None:
        super().__init__()
        check_head_arguments(self, (num_classes,), dropout_rate)
        dim_inner = int(2.25 * dim) if dim_inner is None else dim_inner
        self.dim = dim
        self.num_classes = num_classes
        self.widen = Conv3d(dim, dim_inner, 1, bias=False)
        self.widen_bn = batch_norm(dim_inner, bn_params)
        self.pool = WindowPool3d(pool_kernel_size)
        self.hidden = Conv3d(dim_inner, dim_hidden, 1, bias=False)
        self.hidden_bn = batch_norm(dim_hidden, bn_params) if hidden_batch_norm else nn.Identity()
        self.dropout = nn.Dropout(dropout_rate)
        self.out = nn.Linear(dim_hidden, num_classes)
        initialize(self)
        start_small(self.out)

    def forward(self, features: Tensor) -> Tensor:
        """Returns raw scores (N, num_classes).

        Raises:
            InputError: features of another rank or width, or smaller than the window.
        """
        check_channels(self, features, self.dim)
        pooled = self.pool(torch.relu(self.widen_bn(self.widen(features))))
        hidden = torch.relu(self.hidden_bn(self.hidden(pooled))).permute(0, 2, 3, 4, 1)
        scores: Tensor = self.out(self.dropout(hidden)).flatten(1, 3).mean(dim=1)
        return scores
