"""TAdaFormer, the transformer of the second TAdaConv paper."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from essmc_core.contract.annotations import PositiveInt, Probability
from essmc_core.contract.features import FeatureInfo
from essmc_core.contract.recording import is_tracing
from essmc_core.errors import InputError
from essmc_video.layers.conv3d import Conv3d
from essmc_video.layers.drop_path import linear_rates
from essmc_video.networks.staged_backbone import StagedBackbone
from essmc_video.networks.tadaformer.layer import TAdaFormerLayer
from essmc_video.networks.tadaformer.rules import check_kernels, check_patches
from essmc_video.networks.tadaformer.tada_block import TAdaBlock


class TAdaFormer(StagedBackbone):
    """CLIP's image transformer per frame, plus adaptive convolutions over time: (N, in_chans, T, H, W) → (N, D).

    Huang et al., "Temporally-Adaptive Models for Efficient Video Understanding", 2023, section 4. Defaults are those
    of B/16; L/14 has width 1024, depth 24, heads 16 and patch_size 14. A new network equals the image transformer run
    frame by frame on the middle frames of its tubelets. The number of frames is taken from the clip.

    Args:
        width: width of the tokens, D.
        depth: number of layers.
        heads: heads of the attention.
        patch_size: height and width of a patch.
        input_size: height and width of the video; a multiple of the patch size.
        in_chans: channels of the video.
        tubelet_size: frames that a patch sees, odd.
        temporal_stride: frames over the frames of tokens.
        reduction: width over channels of the adaptive convolutions.
        route_reduction: those channels over inner channels of the route functions.
        route_kernels: frames that the two convolutions of a route function see, odd.
        head_dim: width of the route functions' attention heads.
        temporally_enhanced: let the projections into the adaptive convolutions see three frames.
        double_tada: two adaptive convolutions per layer. The networks for Something-Something V2 have both.
        drop_path_rate: chance of dropping the last layer's residual branches; falls linearly to 0 at the first.
        output_dim: width of a last projection, without bias; None has none.

    Attributes:
        feature_info: patch tokens behind each layer, as maps.

    Raises:
        ConfigError: sizes or widths do not divide, or a kernel over time is even.
    """

    feature_rank: ClassVar[int] = 0

    def __init__(
        self,
        width: PositiveInt = 768,
        depth: PositiveInt = 12,
        heads: PositiveInt = 12,
        patch_size: PositiveInt = 16,
        input_size: PositiveInt = 224,
        in_chans: PositiveInt = 3,
        tubelet_size: int = 3,
        temporal_stride: PositiveInt = 2,
        reduction: PositiveInt = 2,
        route_reduction: PositiveInt = 2,
        route_kernels: Sequence[int] = (3, 3),
        head_dim: PositiveInt = 64,
        temporally_enhanced: bool = False,
        double_tada: bool = False,
        drop_path_rate: Probability = 0.0,
        output_dim: int | None = None,
    ) -> None:
        super().__init__()
        check_patches(input_size, patch_size)
        check_kernels(tubelet_size, route_kernels)
        self.in_chans = in_chans
        self.input_size = input_size
        self.num_features = width if output_dim is None else output_dim
        self.feature_info = [
            FeatureInfo(f"layers.{index}", width, patch_size, temporal_stride) for index in range(depth)
        ]
        side = input_size // patch_size
        self.grid = (side, side)
        self.class_embedding = nn.Parameter(torch.randn(width) * width**-0.5)
        self.positional_embedding = nn.Parameter(torch.randn(side**2 + 1, width) * width**-0.5)
        self.proj = None if output_dim is None else nn.Parameter(torch.randn(width, output_dim) * width**-0.5)
        self.conv1 = Conv3d(
            in_chans,
            width,
            (tubelet_size, patch_size, patch_size),
            (temporal_stride, patch_size, patch_size),
            padding=(tubelet_size // 2, 0, 0),
            bias=False,
        )
        self.ln_pre = nn.LayerNorm(width)
        self.layers = nn.ModuleList(
            TAdaFormerLayer(
                width,
                heads,
                reduction,
                route_reduction,
                route_kernels,
                head_dim,
                temporally_enhanced,
                double_tada,
                rate,
            )
            for rate in linear_rates(drop_path_rate, depth)
        )
        self.ln_post = nn.LayerNorm(width)
        self._initialize()

    def _initialize(self) -> None:
        for module in self.layers.modules():
            if isinstance(module, (nn.Conv3d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.layers.modules():
            if isinstance(module, TAdaBlock):
                module.init_as_zero()

    def forward(self, video: Tensor) -> Tensor:
        """Returns the normalised mean of the frames' class tokens, projected where the network projects.

        Args:
            video: normalised clips (N, C, T, input_size, input_size).

        Returns:
            (N, num_features).

        Raises:
            InputError: another rank, other channels, integers, or another size.
        """
        self.check(video)
        tokens = deque(self._layers(video), maxlen=1).pop()
        features: Tensor = self.ln_post(tokens[:, :, 0].mean(dim=1))
        return features if self.proj is None else features @ self.proj

    def check(self, video: Tensor) -> None:
        """Refuses what this network cannot take.

        Raises:
            InputError: names what the backbone takes and what it got.
        """
        super().check(video)
        # While a model is traced, sizes are not numbers.
        if is_tracing():
            return
        if tuple(video.shape[3:]) != (self.input_size, self.input_size):
            raise InputError(
                f"expected frames of {self.input_size}x{self.input_size} pixels, got shape {tuple(video.shape)}",
                hint="resize the clips, or build the network with their input_size",
            )

    def feature_maps(self, video: Tensor) -> Iterator[Tensor]:
        """Yields the patch tokens behind each layer as maps (N, D, T', h, w)."""
        for tokens in self._layers(video):
            yield torch.unflatten(tokens[:, :, 1:], 2, self.grid).movedim(-1, 1)

    def _layers(self, video: Tensor) -> Iterator[Tensor]:
        tokens = self._tokens(video)
        for layer in self.layers:
            tokens = self.run(partial(layer, grid=self.grid), tokens)
            yield tokens

    def _tokens(self, video: Tensor) -> Tensor:
        """Returns the tokens of every frame, class token first: (N, T', 1 + h · w, D)."""
        patches = self.conv1(video).flatten(3).permute(0, 2, 3, 1)
        leading = self.class_embedding.expand(patches.shape[0], patches.shape[1], 1, -1)
        tokens: Tensor = self.ln_pre(torch.cat([leading, patches], dim=2) + self.positional_embedding)
        return tokens
