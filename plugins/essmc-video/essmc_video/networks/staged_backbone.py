"""What backbones made of consecutive stages share: checks, intermediate features and gradient checkpointing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from essmc_core.contract.features import FeatureInfo
from essmc_core.contract.input_tensors import check_backbone_input
from essmc_video.layers.memory_format import arrange_for_training, arrange_like

T = TypeVar("T")


class StagedBackbone(nn.Module):
    """Base of backbones that take clips (N, C, T, H, W) and keep a feature map per stage.

    A subclass sets the attributes below and overrides `feature_maps`.

    Attributes:
        in_chans: channels of the input.
        num_features: channels of the last feature.
        feature_info: the features of the stages.
        layout: order of the input's dimensions.
        num_frames: None: clips of any length.
        feature_rank: the last feature has three dimensions behind its channels.
        trains_channels_last: whether training steps on a CPU are arranged channels last.
    """

    layout: ClassVar[str] = "NCTHW"
    num_frames: ClassVar[None] = None
    feature_rank: ClassVar[int] = 3
    in_chans: int
    num_features: int
    feature_info: Sequence[FeatureInfo]
    grad_checkpointing: bool = False
    trains_channels_last: bool = True

    @property
    def out_channels(self) -> int:
        """Channels of the last feature."""
        return self.num_features

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Keeps, in training, only what enters each stage, and computes the rest again in the backward pass."""
        self.grad_checkpointing = enable

    def feature_maps(self, video: Tensor) -> Iterator[Tensor]:
        """Yields the features in the order of ``feature_info``; computes a stage when its feature is asked for."""
        raise NotImplementedError

    def forward_features(self, x: Tensor, out_indices: Sequence[int] | None = None) -> Tensor | list[Tensor]:
        """Returns the last feature, or those of chosen stages; stages behind the last chosen one are not run.

        Args:
            x: normalised clips (N, C, T, H, W).
            out_indices: positions in ``feature_info``, negative ones from the end.

        Raises:
            InputError: not clips that this backbone takes.
            IndexError: there is no feature of that index.
        """
        count = len(self.feature_info)
        wanted = [_position(index, count) for index in ((-1,) if out_indices is None else out_indices)]
        self.check(x)
        kept: dict[int, Tensor] = {}
        for position, feature in enumerate(self.feature_maps(x)):
            # A feature nobody asked for is not kept, since early ones are large.
            if position in wanted:
                kept[position] = arrange_like(feature, x)
            if position >= max(wanted, default=0):
                break
        return kept[wanted[0]] if out_indices is None else [kept[position] for position in wanted]

    def check(self, video: Tensor) -> None:
        """Refuses what is not a clip in the number type of the weights.

        Raises:
            InputError: names what the backbone takes and what it got.
        """
        check_backbone_input(video, self, self.layout, self.in_chans)

    def run(self, stage: Callable[..., T], *inputs: Tensor) -> T:
        """Runs a stage; in training in the fastest memory format, and checkpointed where that was asked for."""
        if self.training and torch.is_grad_enabled():
            if self.trains_channels_last:
                inputs = tuple(arrange_for_training(features) for features in inputs)
            if self.grad_checkpointing:
                result: T = checkpoint(stage, *inputs, use_reentrant=False)
                return result
        return stage(*inputs)


def _position(index: int, count: int) -> int:
    if not -count <= index < count:
        raise IndexError(f"there are features 0 to {count - 1}, got index {index}")
    return index % count
