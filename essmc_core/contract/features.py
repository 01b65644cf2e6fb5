"""What every backbone states and provides, for images or video, native or wrapped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class FeatureInfo:
    """One intermediate feature that ``forward_features(x, out_indices)`` can return.

    Attributes:
        name: path of the module whose output it is, e.g. ``conv3``.
        channels: size of dimension 1.
        reduction: input height and width over the feature's.
        temporal_reduction: input frames over the feature's; 1 for images.
    """

    name: str
    channels: int
    reduction: int
    temporal_reduction: int = 1


@runtime_checkable
class BackboneInterface(Protocol):
    """The uniform backbone interface.

    Attributes:
        layout: layout of the input, ``NCHW`` or ``NCTHW``.
        in_chans: channels of the input.
        num_frames: frames of the clips it was built for; None if any number is accepted, or for images.
        out_channels: size of dimension 1 of what ``forward`` returns.
        num_features: width of the pooled features: what a head takes as ``dim``.
        feature_rank: dimensions of ``forward``'s output after the channels: 3 for (N, C, T, H, W), 2 for (N, C, H, W),
            0 for vectors (N, C); what a pooling neck takes as its ``dim``.
        feature_info: the intermediate features, from fine to coarse.
    """

    layout: str
    in_chans: int
    num_frames: int | None
    out_channels: int
    num_features: int
    feature_rank: int
    feature_info: Sequence[FeatureInfo]

    def forward_features(self, x: Tensor, out_indices: Sequence[int] | None = None) -> Tensor | list[Tensor]:
        """Returns features before any pooling.

        Args:
            x: the input, in ``layout``.
            out_indices: positions in ``feature_info``, negative ones from the end; None for the last feature alone.

        Returns:
            The last feature map (N, C, H, W) or (N, C, T, H, W), without class tokens; with ``out_indices``, a list of
            feature maps in that order.

        Raises:
            InputError: the input has another rank, other channels, or a size the backbone cannot take.
            IndexError: there is no feature of that index.
        """
        ...

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Enables or disables gradient checkpointing: the backward pass recomputes activations to save memory."""
        ...
