"""What all video transformers share: arguments, stem, layers, sizes, and the uniform backbone interface."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from essmc_core import BRICKS
from essmc_core.contract.annotations import PositiveInt, Probability
from essmc_core.contract.features import FeatureInfo
from essmc_core.contract.input_tensors import check_backbone_input
from essmc_video.layers.positions import resize_positions
from essmc_video.networks.clip_sizes import clip_sizes
from essmc_video.networks.transformers.layers import EPS
from essmc_video.networks.transformers.rules import Grid


# A dataclass, so that a preset is a subclass which states only the defaults that differ.
@dataclass(eq=False, repr=False)
class VideoTransformer(nn.Module):
    """Base of the backbones that cut a clip into tokens and return one vector (N, num_features).

    Args:
        num_input_channels: channels of the video.
        num_frames: frames it is built for.
        image_size: height and width it is built for, one number or two.
        num_features: width of the tokens.
        patch_size: height and width of a patch.
        depth: number of layers.
        drop_path: chance of leaving out a residual branch in the last layer, falling linearly to 0 in the first.
        tubelet_size: frames of a tubelet; has no effect with ``PatchEmbedStem``.
        stem_name: name of the stem in ``STEMS``.
        branch_name: name of the layers in ``BRICKS``.
        branch_cfg: further arguments of every layer, e.g. ``num_heads``; by default those of the preset.
    """

    num_input_channels: PositiveInt = 3
    num_frames: PositiveInt = 8
    image_size: int | Sequence[int] = 224
    num_features: PositiveInt = 768
    patch_size: PositiveInt = 16
    depth: PositiveInt = 12
    drop_path: Probability = 0.1
    tubelet_size: PositiveInt = 2
    stem_name: str = "TubeletEmbeddingStem"
    branch_name: str = "BaseTransformerLayer"
    branch_cfg: Mapping[str, Any] | None = None

    layout: ClassVar[str] = "NCTHW"
    feature_rank: ClassVar[int] = 0
    default_branch_cfg: ClassVar[tuple[tuple[str, Any], ...]] = ()

    def __post_init__(self) -> None:
        super().__init__()
        if self.branch_cfg is None:
            self.branch_cfg = dict(self.default_branch_cfg)
        self.in_chans = self.num_input_channels
        self.out_channels = self.num_features
        self.grad_checkpointing = False
        self.stem = self._make_stem()
        self.grid: Grid = self.stem.grid

    def _make_stem(self) -> Any:
        cfg = {
            "type": self.stem_name,
            "image_size": self.image_size,
            "num_input_channels": self.num_input_channels,
            "num_frames": self.num_frames,
            "patch_size": self.patch_size,
            "dim": self.num_features,
        }
        if self.stem_name.rpartition("/")[2] != "PatchEmbedStem":
            cfg["tubelet_size"] = self.tubelet_size
        return BRICKS.build(cfg)

    def _make_layers(self, drop_paths: Iterable[float], grid: Grid) -> nn.ModuleList:
        cfg = {"type": self.branch_name, "dim": self.num_features, **(self.branch_cfg or {})}
        if self.needs_frames:
            cfg |= {"num_patches": grid[0] * grid[1] * grid[2], "num_frames": grid[0]}
        return nn.ModuleList(BRICKS.build({"drop_path_prob": rate, **cfg}) for rate in drop_paths)

    @property
    def needs_frames(self) -> bool:
        """Whether the layers are told the number of time steps."""
        return bool(getattr(BRICKS[self.branch_name], "needs_frames", False))

    def _table(self, tokens: int) -> nn.Parameter:
        return nn.Parameter(torch.zeros(1, tokens, self.num_features))

    def _norm(self) -> nn.LayerNorm:
        return nn.LayerNorm(self.num_features, eps=EPS)

    def _describe_features(self) -> None:
        names = [f"layers.{index}" for index in range(self.depth - 1)] + ["norm"]
        frames, patch, _ = self.stem.patch_shape
        self.feature_info = [FeatureInfo(name, self.num_features, patch, frames) for name in names]

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Trades time for memory in training: every layer is computed again in the backward pass."""
        self.grad_checkpointing = enable

    def embed(self, video: Tensor) -> tuple[Tensor, Grid]:
        """Returns tokens (N, L, D) without positions, and how many there are along time, height and width.

        Raises:
            InputError: another rank, channels or number type, or a size that cannot be cut into whole patches.
        """
        check_backbone_input(video, self, "NCTHW", self.in_chans)
        grid = self.stem.grid_of(*clip_sizes(video))
        return self.stem(video), grid

    def positions(self, table: Tensor, learned: Grid, wanted: Grid, prefix: int = 1) -> Tensor:
        """Returns a table of positions for a grid, interpolated where it was not learned for it.

        In eval mode interpolated positions are constants, so that no gradient reaches the table.
        """
        resized = resize_positions(table, learned, wanted, prefix)
        return resized if self.training or learned == wanted else resized.detach()

    def run_layers(
        self, layers: Iterable[nn.Module], tokens: Tensor, frames: tuple[int, ...] = (), wanted: Collection[int] = ()
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """Returns the tokens after all layers, and those after each wanted one."""
        kept: dict[int, Tensor] = {}
        for index, layer in enumerate(layers):
            if self.grad_checkpointing and self.training and torch.is_grad_enabled():
                tokens = checkpoint(layer, tokens, *frames, use_reentrant=False)
            else:
                tokens = layer(tokens, *frames)
            if index in wanted:
                kept[index] = tokens
        return tokens, kept

    def encode(self, video: Tensor, wanted: Collection[int] = ()) -> tuple[Tensor, Grid, dict[int, Tensor]]:
        """Returns the normalised tokens, their grid, and the tokens after each wanted layer."""
        raise NotImplementedError

    def to_map(self, tokens: Tensor, grid: Grid) -> Tensor:
        """Returns tokens, without class tokens, as a map (N, D, T', H', W')."""
        raise NotImplementedError

    def forward_features(self, x: Tensor, out_indices: Sequence[int] | None = None) -> Tensor | list[Tensor]:
        """Returns maps (N, D, T', H', W') of the tokens, class tokens left out; the last one is normalised.

        Args:
            x: clips (N, C, T, H, W).
            out_indices: positions in ``feature_info``, negative ones from the end; None for the last map alone.

        Raises:
            InputError: as in ``forward``.
            IndexError: there is no feature of that index.
        """
        wanted = [range(self.depth)[index] for index in ([-1] if out_indices is None else out_indices)]
        tokens, grid, kept = self.encode(x, wanted)
        kept[self.depth - 1] = tokens
        maps = [self.to_map(kept[index], grid) for index in wanted]
        return maps[0] if out_indices is None else maps
