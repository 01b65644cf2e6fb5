"""BottleneckResNet3D: stem and four stages of bottlenecks, which the presets configure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from essmc_core.contract.annotations import PositiveInt
from essmc_core.contract.features import FeatureInfo
from essmc_core.contract.recording import is_tracing
from essmc_core.errors import InputError
from essmc_video.arguments.option_names import BatchNormArgument, InitArgument
from essmc_video.networks.bottleneck_resnet.rules import blocks_of, check_entries
from essmc_video.networks.bottleneck_resnet.stage import BottleneckStage
from essmc_video.networks.resnet3d.stems import Base3DStem, DownSampleStem
from essmc_video.networks.resnet3d.weight_init import initialize
from essmc_video.networks.staged_backbone import StagedBackbone


# A dataclass, so that a preset is a subclass which states only the defaults that differ.
@dataclass(eq=False, repr=False)
class BottleneckResNet3D(StagedBackbone):
    """Stem ``conv1`` and stages ``conv2`` to ``conv5``: (N, C, T, H, W) → (N, stage_widths[3], T', H/32, W/32).

    Arguments that are sequences have an entry per stage.

    Args:
        depth: 50, 101 or 152.
        in_chans: channels of the video.
        stem_kernel_size: (time, height, width) of the stem's convolution.
        stem_pool: halve height and width by max pooling behind the stem's convolution, which halves them too.
        branch_name: name of the residual branch in ``BRICKS``.
        temporal_kernels: lengths in time of the kernels of a stage's blocks; repeated until there are enough.
        spatial_strides: 1 or 2.
        temporal_strides: 1 or 2; 2 only where the spatial stride is 2.
        temporal_pool: halve time by max pooling behind the first stage.
        stem_width: channels of the stem.
        stage_widths: channels of the stages.
        expansion_ratio: channels of a stage over inner channels of its bottlenecks.
        bn_params: arguments of every batch norm; without, eps is 1e-5 and momentum 0.1.
        init_cfg: ``"kaiming"`` draws weights by He et al. and starts blocks as their shortcuts; without, torch's own.

    Attributes:
        feature_info: stem and stages; that of ``conv2`` is taken before the temporal pooling.

    Raises:
        ConfigError: unknown depth or stride, or a sequence that has not four entries.
        UnknownComponent: no brick is called ``branch_name``.
    """

    depth: int = 50
    in_chans: PositiveInt = 3
    stem_kernel_size: Sequence[int] = (1, 7, 7)
    stem_pool: bool = True
    branch_name: str = "TemporalBottleneckBranch"
    temporal_kernels: Sequence[Sequence[int]] = ((1,), (1,), (1,), (1,))
    spatial_strides: Sequence[int] = (1, 2, 2, 2)
    temporal_strides: Sequence[int] = (1, 1, 1, 1)
    temporal_pool: bool = False
    stem_width: PositiveInt = 64
    stage_widths: Sequence[int] = (256, 512, 1024, 2048)
    expansion_ratio: PositiveInt = 4
    bn_params: Mapping[BatchNormArgument, Any] | None = None
    init_cfg: Mapping[InitArgument, Any] | str | None = "kaiming"

    def __post_init__(self) -> None:
        super().__init__()
        blocks = blocks_of(self.depth)
        check_entries(self.temporal_kernels, self.spatial_strides, self.temporal_strides, self.stage_widths)
        stem = DownSampleStem if self.stem_pool else Base3DStem
        self.conv1 = stem(self.in_chans, self.stem_width, self.stem_kernel_size, bn_params=self.bn_params)
        self.conv2, self.conv3, self.conv4, self.conv5 = (self._stage(index, blocks[index]) for index in range(4))
        self.pool2 = nn.MaxPool3d((2, 1, 1)) if self.temporal_pool else nn.Identity()
        self.num_features = self.stage_widths[-1]
        self.feature_info = tuple(self._describe())
        initialize(self, self.init_cfg)

    def _stage(self, index: int, num_blocks: int) -> BottleneckStage:
        widths = (self.stem_width, *self.stage_widths)
        return BottleneckStage(
            num_blocks,
            widths[index],
            widths[index + 1],
            self.temporal_kernels[index],
            self.spatial_strides[index],
            self.temporal_strides[index],
            self.branch_name,
            self.expansion_ratio,
            self.bn_params,
        )

    def _describe(self) -> Iterator[FeatureInfo]:
        space, time = 4 if self.stem_pool else 2, 1
        yield FeatureInfo("conv1", self.stem_width, space, time)
        for index, width in enumerate(self.stage_widths):
            space, time = space * self.spatial_strides[index], time * self.temporal_strides[index]
            yield FeatureInfo(f"conv{index + 2}", width, space, time)
            time = time * 2 if self.temporal_pool and index == 0 else time

    def check(self, video: Tensor) -> None:
        """Refuses what is not a clip of floats, or too short for the temporal pooling."""
        super().check(video)
        if self.temporal_pool and not is_tracing() and video.shape[2] < 2:
            raise InputError(f"{type(self).__name__} pools pairs of frames and takes clips of at least 2, got 1")

    def feature_maps(self, video: Tensor) -> Iterator[Tensor]:
        """Yields the outputs of the stem and the stages."""
        x: Tensor = self.run(self.conv1, video)
        yield x
        x = self.run(self.conv2, x)
        yield x
        x = self.pool2(x)
        for stage in (self.conv3, self.conv4, self.conv5):
            x = self.run(stage, x)
            yield x

    def forward(self, video: Tensor) -> Tensor:
        """Returns the features of the last stage.

        Args:
            video: normalised clips (N, C, T, H, W).

        Raises:
            InputError: another rank, other channels or number type, or too few frames.
        """
        features = self.forward_features(video)
        assert isinstance(features, Tensor)
        return features
