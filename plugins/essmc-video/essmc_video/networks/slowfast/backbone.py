"""SlowFast: two bottleneck networks over one clip, the fast one feeding the slow one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from essmc_core.contract.annotations import PositiveInt
from essmc_core.contract.features import FeatureInfo
from essmc_video.arguments.option_names import BatchNormArgument, InitArgument
from essmc_video.layers.memory_format import arrange_like
from essmc_video.networks.bottleneck_resnet.rules import blocks_of
from essmc_video.networks.bottleneck_resnet.stage import BottleneckStage
from essmc_video.networks.clip_sizes import clip_sizes
from essmc_video.networks.resnet3d.stems import DownSampleStem
from essmc_video.networks.resnet3d.weight_init import initialize
from essmc_video.networks.slowfast.frame_index import slow_frames, take_frames
from essmc_video.networks.slowfast.fusion import LateralFusion
from essmc_video.networks.slowfast.rules import check_paths
from essmc_video.networks.staged_backbone import StagedBackbone

Paths = tuple[Tensor, Tensor]


@dataclass(eq=False, repr=False)
class SlowFast(StagedBackbone):
    """Slow and fast path: (N, C, T, H, W) → (N, 2048, T/alpha, H/32, W/32) and (N, 256, T, H/32, W/32).

    The clip holds the fast path's frames, of which the slow path's are taken here. Layers are ``slow_conv1`` to
    ``slow_conv5``, ``fast_conv1`` to ``fast_conv5`` and, between stages, ``slowfast_fusion1`` to ``slowfast_fusion4``.
    Feichtenhofer et al., "SlowFast Networks for Video Recognition", ICCV 2019.

    Args:
        depth: 50, 101 or 152.
        in_chans: channels of the video.
        alpha: frames of the fast path per frame of the slow one.
        beta: channels of the slow path per channel of the fast one.
        fusion_kernel_size: frames that the lateral convolutions see.
        slow_index: which frames the slow path sees: ``linspace`` spreads them evenly from the first to the last,
            rounded down (PySlowFast, pytorchvideo); ``stride`` takes the first of every ``alpha`` (TAdaConv).
        slow_stem_kernel_size: (time, height, width) of the slow path's first convolution.
        fast_stem_kernel_size: the same of the fast path.
        slow_temporal_kernels: for each of four stages the lengths in time of its blocks' kernels; repeated until there
            are enough.
        fast_temporal_kernels: the same of the fast path.
        stem_width: channels of the slow path's stem.
        stage_widths: channels of the slow path's stages.
        expansion_ratio: channels of a stage over inner channels of its bottlenecks.
        bn_params: arguments of every batch norm; without, eps is 1e-5 and momentum 0.1.
        init_cfg: ``"kaiming"`` draws weights by He et al. and starts blocks as their shortcuts; without, torch's own.

    Attributes:
        num_features: channels of both paths together.
        feature_info: stem and stages, with the channels of both paths together.

    Raises:
        ConfigError: unknown depth or ``slow_index``, or a sequence that has not four entries.
    """

    depth: int = 50
    in_chans: PositiveInt = 3
    alpha: PositiveInt = 4
    beta: PositiveInt = 8
    fusion_kernel_size: int = 7
    slow_index: Literal["linspace", "stride"] = "linspace"
    slow_stem_kernel_size: Sequence[int] = (1, 7, 7)
    fast_stem_kernel_size: Sequence[int] = (5, 7, 7)
    slow_temporal_kernels: Sequence[Sequence[int]] = ((1,), (1,), (3,), (3,))
    fast_temporal_kernels: Sequence[Sequence[int]] = ((3,), (3,), (3,), (3,))
    stem_width: PositiveInt = 64
    stage_widths: Sequence[int] = (256, 512, 1024, 2048)
    expansion_ratio: PositiveInt = 4
    bn_params: Mapping[BatchNormArgument, Any] | None = None
    init_cfg: Mapping[InitArgument, Any] | str | None = "kaiming"

    def __post_init__(self) -> None:
        super().__init__()
        check_paths(
            self.alpha,
            self.beta,
            self.fusion_kernel_size,
            self.slow_index,
            self.slow_temporal_kernels,
            self.fast_temporal_kernels,
            self.stem_width,
            self.stage_widths,
            self.expansion_ratio,
        )
        slow_widths = (self.stem_width, *self.stage_widths)
        fast_widths = tuple(width // self.beta for width in slow_widths)
        self.slow_conv1 = DownSampleStem(
            self.in_chans, slow_widths[0], self.slow_stem_kernel_size, bn_params=self.bn_params
        )
        self.fast_conv1 = DownSampleStem(
            self.in_chans, fast_widths[0], self.fast_stem_kernel_size, bn_params=self.bn_params
        )
        for index, num_blocks in enumerate(blocks_of(self.depth)):
            fast_in = fast_widths[index]
            fusion = LateralFusion(fast_in, self.alpha, self.fusion_kernel_size, self.bn_params)
            self.add_module(f"slowfast_fusion{index + 1}", fusion)
            slow = self._stage(
                index, num_blocks, slow_widths[index] + 2 * fast_in, slow_widths[index + 1], self.slow_temporal_kernels
            )
            fast = self._stage(index, num_blocks, fast_in, fast_widths[index + 1], self.fast_temporal_kernels)
            self.add_module(f"slow_conv{index + 2}", slow)
            self.add_module(f"fast_conv{index + 2}", fast)
        widths = [slow + fast for slow, fast in zip(slow_widths, fast_widths, strict=True)]
        self.num_features = widths[-1]
        self.feature_info = tuple(
            FeatureInfo(f"slow_conv{index + 1}", width, 2 ** max(index + 1, 2), self.alpha)
            for index, width in enumerate(widths)
        )
        initialize(self, self.init_cfg)

    def _stage(
        self, index: int, num_blocks: int, dim_in: int, dim_out: int, temporal_kernels: Sequence[Sequence[int]]
    ) -> BottleneckStage:
        return BottleneckStage(
            num_blocks,
            dim_in,
            dim_out,
            temporal_kernels[index],
            spatial_stride=1 if index == 0 else 2,
            expansion_ratio=self.expansion_ratio,
            bn_params=self.bn_params,
        )

    def path_maps(self, video: Tensor) -> Iterator[Paths]:
        """Yields (slow, fast) behind the stem and each stage, before their fusion."""
        indices = slow_frames(clip_sizes(video)[0], self.alpha, self.slow_index)
        slow: Tensor = self.run(self.slow_conv1, take_frames(video, indices))
        fast: Tensor = self.run(self.fast_conv1, video)
        yield slow, fast
        for stage in range(2, 6):
            fusion = self.get_submodule(f"slowfast_fusion{stage - 1}")
            slow = self.run(self.get_submodule(f"slow_conv{stage}"), fusion(slow, fast))
            fast = self.run(self.get_submodule(f"fast_conv{stage}"), fast)
            yield slow, fast

    def feature_maps(self, video: Tensor) -> Iterator[Tensor]:
        """Yields both paths as one map (N, slow + fast channels, T/alpha, H', W'); fast frames are averaged in groups.

        The global average of such a map is the concatenation of the paths' own.
        """
        for slow, fast in self.path_maps(video):
            yield torch.cat([slow, functional.avg_pool3d(fast, (self.alpha, 1, 1))], dim=1)

    def forward(self, video: Tensor) -> Paths:
        """Returns the last features of the slow and of the fast path.

        Args:
            video: normalised clips (N, C, T, H, W), T a multiple of ``alpha``.

        Raises:
            InputError: another rank, other channels or number type, or T is no multiple of ``alpha``.
        """
        self.check(video)
        slow = fast = video
        for slow, fast in self.path_maps(video):  # noqa: B007 - only the last is of use
            pass
        return arrange_like(slow, video), arrange_like(fast, video)
