"""A batch norm with the arguments that configurations state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from essmc_video.arguments.option_names import BatchNormArgument


def batch_norm(channels: int, params: Mapping[BatchNormArgument, Any] | None) -> nn.BatchNorm3d:
    """Returns a batch norm over clips; torch's defaults where ``params`` states nothing else."""
    return nn.BatchNorm3d(channels, **{str(name): value for name, value in (params or {}).items()})
