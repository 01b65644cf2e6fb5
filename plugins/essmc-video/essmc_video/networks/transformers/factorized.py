"""FactorizedTransformer: one encoder over space for every time step, then one over time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from torch import Tensor, cat, unflatten

from essmc_core import BRICKS
from essmc_core.contract.annotations import NonNegativeInt
from essmc_video.layers.drop_path import linear_rates
from essmc_video.layers.transformer_init import initialize
from essmc_video.networks.transformers.backbone import VideoTransformer
from essmc_video.networks.transformers.rules import Grid, check_over_space


@dataclass(eq=False, repr=False)
class FactorizedTransformer(VideoTransformer):
    """A spatial encoder gives one class token per time step, a temporal one makes one of them: → (N, num_features).

    Model 2 of Arnab et al., "ViViT: A Video Vision Transformer", ICCV 2021, section 3.3.

    Frames, height and width may be other multiples of the patches than it was built for, not square ones too: positions
    are then interpolated linearly in time, height and width, the class tokens' are kept. In eval mode these are
    constants: no gradient reaches ``pos_embd`` and ``temp_embd``.

    Args:
        num_input_channels: channels of the video.
        num_frames: frames it is built for.
        image_size: height and width it is built for, one number or two.
        num_features: width of the tokens.
        patch_size: height and width of a patch.
        depth: number of spatial layers.
        drop_path: chance of leaving out a residual branch in the last temporal layer, falling linearly to 0 in the
            first spatial one.
        tubelet_size: frames of a tubelet; has no effect with ``PatchEmbedStem``.
        stem_name: name of the stem in ``STEMS``.
        branch_name: name of the layers in ``BRICKS``, spatial and temporal.
        branch_cfg: further arguments of every layer, e.g. ``num_heads``; by default those of the preset.
        depth_temp: number of temporal layers; without any the time steps' class tokens are averaged.

    Raises:
        ConfigError: sizes cannot be cut into whole patches, or the layers look along time by themselves.
        UnknownComponent: no brick has that name.
    """

    depth_temp: NonNegativeInt = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        check_over_space(self.branch_name, getattr(BRICKS[self.branch_name], "needs_frames", False))
        frames, height, width = self.grid
        rates = linear_rates(self.drop_path, self.depth + self.depth_temp)
        self.pos_embd = self._table(1 + height * width)
        self.cls_token = self._table(1)
        if self.depth_temp:
            self.temp_embd = self._table(1 + frames)
            self.cls_token_out = self._table(1)
        self.layers = self._make_layers(rates[: self.depth], self.grid)
        self.norm = self._norm()
        if self.depth_temp:
            self.layers_temporal = self._make_layers(rates[self.depth :], self.grid)
            self.norm_out = self._norm()
        self._describe_features()
        initialize(self)

    def position_grids(self) -> dict[str, Grid]:
        """Returns the grid of every table of positions, by the name of its parameter."""
        frames, height, width = self.grid
        temporal: dict[str, Grid] = {"temp_embd": (frames, 1, 1)} if self.depth_temp else {}
        return {"pos_embd": (1, height, width), **temporal}

    def forward(self, video: Tensor) -> Tensor:
        """Returns one vector per clip, (N, num_features).

        Args:
            video: normalised clips (N, C, T, H, W).

        Raises:
            InputError: another rank, channels or number type, or a size that cannot be cut into whole patches.
        """
        tokens, grid, _ = self.encode(video)
        steps = unflatten(tokens[:, 0], 0, (-1, grid[0]))
        return self._over_time(steps, grid[0]) if self.depth_temp else steps.mean(1)

    def _over_time(self, steps: Tensor, frames: int) -> Tensor:
        tokens = cat([self.cls_token_out.expand(steps.shape[0], -1, -1), steps], dim=1)
        tokens = tokens + self.positions(self.temp_embd, (self.grid[0], 1, 1), (frames, 1, 1))
        tokens, _ = self.run_layers(self.layers_temporal, tokens)
        return self.norm_out(tokens[:, 0])  # type: ignore[no-any-return]

    def encode(self, video: Tensor, wanted: Collection[int] = ()) -> tuple[Tensor, Grid, dict[int, Tensor]]:
        """Returns the normalised tokens, their grid, and the tokens after each wanted spatial layer.

        Tokens are (N · T', 1 + H' · W', D).
        """
        tokens, grid = self.embed(video)
        tokens = unflatten(tokens, 1, (grid[0], -1)).flatten(0, 1)
        tokens = cat([self.cls_token.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        tokens = tokens + self.positions(self.pos_embd, (1, *self.grid[1:]), (1, *grid[1:]))
        tokens, kept = self.run_layers(self.layers, tokens, wanted=wanted)
        return self.norm(tokens), grid, kept

    def to_map(self, tokens: Tensor, grid: Grid) -> Tensor:
        """Returns tokens, without class tokens, as a map (N, D, T', H', W')."""
        steps = unflatten(tokens[:, 1:].transpose(1, 2), 2, grid[1:])
        return unflatten(steps, 0, (-1, grid[0])).transpose(1, 2)
