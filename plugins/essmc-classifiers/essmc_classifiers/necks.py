"""Necks: what turns the feature map of a backbone into what a head takes."""

from __future__ import annotations

from typing import TypeVar

from torch import Tensor, nn

from essmc_core import FeatureRank
from essmc_core.errors import ConfigError, InputError

T = TypeVar("T")


class GlobalAveragePooling(nn.Module):
    """Mean over all positions: (N, C, ...) → (N, C).

    Features that are already (N, C) pass through. Of a tuple of feature maps each is pooled.

    Args:
        dim: dimensions after the channels: 1 for sequences, 2 for images, 3 for clips; of the backbone, if not given.

    Raises:
        ConfigError: another ``dim``.
    """

    def __init__(self, dim: FeatureRank = 2) -> None:
        super().__init__()
        if dim not in (1, 2, 3):
            raise ConfigError(f"GlobalAveragePooling pools 1, 2 or 3 dimensions, got dim={dim}")
        self.dim = dim

    def forward(self, features: Tensor | tuple[Tensor, ...] | list[Tensor]) -> Tensor | tuple[Tensor, ...]:
        """Pools one feature map, or each of several.

        Raises:
            InputError: a feature map has another rank than ``dim`` says.
        """
        if isinstance(features, (tuple, list)):
            return tuple(self._pool(one) for one in features)
        return self._pool(features)

    def _pool(self, features: Tensor) -> Tensor:
        if features.ndim == 2:
            return features
        if features.ndim != self.dim + 2:
            raise InputError(
                f"GlobalAveragePooling(dim={self.dim}) takes features of rank {self.dim + 2}, "
                f"got shape {tuple(features.shape)}",
                hint=f"set dim to {features.ndim - 2}" if features.ndim in (3, 4, 5) else "",
            )
        return features.flatten(2).mean(dim=2)


class Identity(nn.Module):
    """Returns its input: features (N, dim), or maps, as they are."""

    def forward(self, features: T) -> T:
        """Returns ``features``."""
        return features
