"""TAdaConvNeXtV2, the convolutional network of the second TAdaConv paper."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import ClassVar

from torch import Tensor, nn

from essmc_core.contract.annotations import PositiveInt, Probability
from essmc_core.contract.features import FeatureInfo
from essmc_video.layers.conv3d import Conv3d
from essmc_video.layers.drop_path import linear_rates
from essmc_video.networks.minimum_clip import check_least_size
from essmc_video.networks.staged_backbone import StagedBackbone
from essmc_video.networks.tadaconvnext.block import TAdaConvNeXtV2Block
from essmc_video.networks.tadaconvnext.channel_norm import ChannelNorm
from essmc_video.networks.tadaconvnext.depthwise_conv import TAdaDepthwiseConv
from essmc_video.networks.tadaconvnext.route_function import RouteFunction
from essmc_video.networks.tadaconvnext.rules import check_stages, check_stem


class TAdaConvNeXtV2(StagedBackbone):
    """Four stages of temporally adaptive ConvNeXt blocks: (N, in_chans, T, H, W) → (N, widths[3]).

    Huang et al., "Temporally-Adaptive Models for Efficient Video Understanding", 2023. Defaults are those of Tiny;
    Small has depths (3, 3, 27, 3), Base also widths (128, 256, 512, 1024) and head_dim 64. A new network looks at
    frames one by one behind its stem, as a 2D ConvNeXt with quick GELU does. Sizes that are no multiples of 32 are
    floored, as convolutions without padding do. Any number of frames will do.

    Args:
        depths: blocks per stage.
        widths: channels per stage.
        in_chans: channels of the video.
        stem_kernel: frames that the stem sees, odd.
        stem_stride: frames over the stem's frames.
        route_reduction: channels over inner channels of the route functions.
        route_kernels: frames that the two convolutions of a route function see, odd.
        head_dim: width of the route functions' attention heads.
        layer_scale: start of the scale of every residual branch.
        drop_path_rate: chance of dropping the last block's residual branch; falls linearly to 0 at the first.

    Attributes:
        feature_info: the four stages, as ``forward_features`` returns them.

    Raises:
        ConfigError: not four stages, an even kernel, or a head_dim that does not divide the inner channels.
    """

    feature_rank: ClassVar[int] = 0

    def __init__(
        self,
        depths: Sequence[int] = (3, 3, 9, 3),
        widths: Sequence[int] = (96, 192, 384, 768),
        in_chans: PositiveInt = 3,
        stem_kernel: int = 3,
        stem_stride: PositiveInt = 2,
        route_reduction: PositiveInt = 2,
        route_kernels: Sequence[int] = (3, 3),
        head_dim: PositiveInt = 48,
        layer_scale: float = 1e-6,
        drop_path_rate: Probability = 0.0,
    ) -> None:
        super().__init__()
        check_stages(depths, widths)
        check_stem(stem_kernel, route_kernels)
        self.in_chans = in_chans
        self.num_features = widths[-1]
        self.feature_info = [
            FeatureInfo(f"stages.{index}", width, 4 * 2**index, stem_stride) for index, width in enumerate(widths)
        ]
        self.downsample_layers = _downsampling(in_chans, widths, stem_kernel, stem_stride)
        rates = iter(linear_rates(drop_path_rate, sum(depths)))
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(
                    TAdaConvNeXtV2Block(width, route_reduction, route_kernels, head_dim, layer_scale, next(rates))
                    for _ in range(depth)
                )
            )
            for depth, width in zip(depths, widths, strict=True)
        )
        self.norm = nn.LayerNorm(widths[-1], eps=1e-6)
        self._initialize()

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, (nn.Conv3d, nn.Linear, TAdaDepthwiseConv)):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, RouteFunction):
                module.init_as_identity()
            elif isinstance(module, TAdaConvNeXtV2Block):
                nn.init.zeros_(module.norm_avgpool.weight)
                nn.init.zeros_(module.norm_avgpool.bias)

    def forward(self, video: Tensor) -> Tensor:
        """Returns the normalised mean of the last stage.

        Args:
            video: normalised clips (N, C, T, H, W); height and width of at least 32.

        Returns:
            (N, num_features).

        Raises:
            InputError: another rank, other channels, integers, or less than 32 pixels.
        """
        last = self.forward_features(video)
        assert isinstance(last, Tensor)
        features: Tensor = self.norm(last.mean(dim=(2, 3, 4)))
        return features

    def check(self, video: Tensor) -> None:
        """Refuses what this network cannot take.

        Raises:
            InputError: names what the backbone takes and what it got.
        """
        super().check(video)
        check_least_size(video, frames=1, side=32)

    def feature_maps(self, video: Tensor) -> Iterator[Tensor]:
        """Yields what each stage returns."""
        for downsample, stage in zip(self.downsample_layers, self.stages, strict=True):
            video = downsample(video)
            for block in stage.children():
                video = self.run(block, video)
            yield video


def _downsampling(in_chans: int, widths: Sequence[int], stem_kernel: int, stem_stride: int) -> nn.ModuleList:
    stem = Conv3d(in_chans, widths[0], (stem_kernel, 4, 4), (stem_stride, 4, 4), padding=(stem_kernel // 2, 0, 0))
    layers = [nn.Sequential(stem, ChannelNorm(widths[0]))]
    for narrow, wide in itertools.pairwise(widths):
        halving = Conv3d(narrow, wide, (1, 2, 2), (1, 2, 2))
        layers.append(nn.Sequential(ChannelNorm(narrow), halving))
    return nn.ModuleList(layers)
