"""A backbone of two convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from essmc_core.contract.annotations import PositiveInt
from essmc_core.contract.features import FeatureInfo
from essmc_core.contract.input_tensors import check_backbone_input


class SoundBackbone(nn.Module):
    """Two strided convolutions: (N, in_chans, H, W) → (N, width, H / 4, W / 4).

    Args:
        width: channels of the features.
        in_chans: channels of the pictures.
    """

    def __init__(self, width: PositiveInt = 8, in_chans: PositiveInt = 3) -> None:
        super().__init__()
        self.layout = "NCHW"
        self.num_frames: int | None = None
        self.feature_rank = 2
        self.in_chans = in_chans
        self.out_channels = width
        self.num_features = width
        self.first = nn.Sequential(nn.Conv2d(in_chans, width, 3, stride=2, padding=1), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, stride=2, padding=1), nn.ReLU())
        self.feature_info: Sequence[FeatureInfo] = (FeatureInfo("first", width, 2), FeatureInfo("second", width, 4))
        self._saves_memory = False

    def forward_features(self, x: Tensor, out_indices: Sequence[int] | None = None) -> Tensor | list[Tensor]:
        """Returns the last feature map (N, width, H / 4, W / 4), or a list of those asked for."""
        check_backbone_input(x, self, self.layout, self.in_chans)
        maps: list[Tensor] = []
        for stage in (self.first, self.second):
            x = self._run(stage, x)
            maps.append(x)
        return maps[-1] if out_indices is None else [maps[index] for index in out_indices]

    def forward(self, x: Tensor) -> Tensor:
        """Returns the last feature map (N, width, H / 4, W / 4)."""
        features = self.forward_features(x)
        assert isinstance(features, Tensor)
        return features

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Lets the backward pass compute activations again instead of storing them."""
        self._saves_memory = enable

    def _run(self, stage: nn.Module, x: Tensor) -> Tensor:
        again = self._saves_memory and self.training and torch.is_grad_enabled()
        out: Tensor = checkpoint(stage, x, use_reentrant=False) if again else stage(x)
        return out
