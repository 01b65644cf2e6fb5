"""Transformer: one encoder over all tokens of a clip."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from torch import Tensor, cat, unflatten

from essmc_core import BRICKS
from essmc_video.layers.drop_path import linear_rates
from essmc_video.layers.transformer_init import initialize
from essmc_video.networks.transformers.backbone import VideoTransformer
from essmc_video.networks.transformers.rules import Grid, check_layers


@dataclass(eq=False, repr=False)
class Transformer(VideoTransformer):
    """Tokens, learned positions, layers, layer norm: (N, C, T, H, W) → (N, num_features).

    The output is the class token, or, without one, the mean of all tokens.

    Frames, height and width may be other multiples of the patches than it was built for, not square ones too: positions
    are then interpolated linearly in time, height and width, the class token's is kept. In eval mode these are
    constants: no gradient reaches ``pos_embd``.

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
        class_token: put a class token in front.

    Raises:
        ConfigError: sizes cannot be cut into whole patches, or layers of this kind do without a class token, or need
            one.
        UnknownComponent: no brick has that name.
    """

    class_token: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        needed = getattr(BRICKS[self.branch_name], "class_tokens", None)
        check_layers(self.branch_name, int(self.class_token), needed)
        self.prefix = int(self.class_token)
        self.pos_embd = self._table(self.prefix + self.stem.num_patches)
        if self.class_token:
            self.cls_token = self._table(1)
        self.layers = self._make_layers(linear_rates(self.drop_path, self.depth), self.grid)
        self.norm = self._norm()
        self._describe_features()
        initialize(self)

    def position_grids(self) -> dict[str, Grid]:
        """Returns the grid of every table of positions, by the name of its parameter."""
        return {"pos_embd": self.grid}

    def forward(self, video: Tensor) -> Tensor:
        """Returns one vector per clip, (N, num_features).

        Args:
            video: normalised clips (N, C, T, H, W).

        Raises:
            InputError: another rank, channels or number type, or a size that cannot be cut into whole patches.
        """
        tokens, _, _ = self.encode(video)
        return tokens[:, 0] if self.class_token else tokens.mean(1)

    def encode(self, video: Tensor, wanted: Collection[int] = ()) -> tuple[Tensor, Grid, dict[int, Tensor]]:
        """Returns the normalised tokens, their grid, and the tokens after each wanted layer."""
        tokens, grid = self.embed(video)
        if self.class_token:
            tokens = cat([self.cls_token.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        tokens = tokens + self.positions(self.pos_embd, self.grid, grid, self.prefix)
        tokens, kept = self.run_layers(self.layers, tokens, (grid[0],) if self.needs_frames else (), wanted)
        return self.norm(tokens), grid, kept

    def to_map(self, tokens: Tensor, grid: Grid) -> Tensor:
        """Returns tokens, without the class token, as a map (N, D, T', H', W')."""
        return unflatten(tokens[:, self.prefix :].transpose(1, 2), 2, grid)
