"""ResNet3D: the five-stage residual network that every preset configures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from essmc_core import BRICKS
from essmc_core.contract.annotations import PositiveInt
from essmc_core.contract.features import FeatureInfo
from essmc_video.arguments.option_names import BatchNormArgument, InitArgument
from essmc_video.layers.conv_chain import Triple, strides
from essmc_video.networks.resnet3d.rules import BLOCKS_PER_STAGE, BOTTLENECK_DEPTHS, check_depth, check_entries
from essmc_video.networks.resnet3d.stage import Base3DResStage
from essmc_video.networks.resnet3d.weight_init import initialize
from essmc_video.networks.staged_backbone import StagedBackbone


# A dataclass, so that a preset is a subclass which states only the defaults that differ.
@dataclass(eq=False, repr=False)
class ResNet3D(StagedBackbone):
    """Stem ``conv1`` and stages ``conv2`` to ``conv5``: (N, C, T, H, W) → (N, num_filters[4], T', H', W').

    Arguments that are sequences have five entries: the stem's, then one per stage. The features are neither pooled nor
    classified.

    Args:
        depth: 10, 16, 18 and 34 are built of simple blocks, 26, 50, 101 and 152 of bottlenecks. 26 has as many
            blocks as 18.
        num_input_channels: channels of the video.
        num_filters: output channels.
        kernel_size: (time, height, width) of the main convolutions.
        downsampling: halve height and width.
        downsampling_temporal: halve time as well; has no effect without ``downsampling``.
        expansion_ratio: output channels over inner channels of a bottleneck.
        stem_name: name of the stem in ``STEMS``.
        branch_name: name of the residual branch in ``BRICKS``.
        branch_cfg: further arguments of every branch.
        non_local: end the stage with a non-local block; the stem has none.
        non_local_cfg: further arguments of those blocks.
        bn_params: arguments of every batch norm; without, eps is 1e-3 and momentum 0.1.
        init_cfg: ``"kaiming"`` draws weights by He et al. and starts blocks as their shortcuts;
            ``{"name": "kaiming", "zero_init_final_bn": False}`` leaves the latter out; without, torch's own.

    Attributes:
        feature_info: the stem's output and those of the stages.

    Raises:
        ConfigError: unknown depth, or a sequence that has not five entries.
        UnknownComponent: no brick has that name.
    """

    depth: int
    num_input_channels: PositiveInt = 3
    num_filters: Sequence[int] = (64, 64, 128, 256, 256)
    kernel_size: Sequence[Sequence[int]] = ((1, 7, 7), (1, 3, 3), (1, 3, 3), (3, 3, 3), (3, 3, 3))
    downsampling: Sequence[bool] = (True, False, True, True, True)
    downsampling_temporal: Sequence[bool] = (False, False, False, True, True)
    expansion_ratio: int = 2
    stem_name: str = "DownSampleStem"
    branch_name: str = "R2D3DBranch"
    branch_cfg: Mapping[str, Any] | None = None
    non_local: Sequence[bool | Literal[0, 1]] = (False, False, False, False, False)
    non_local_cfg: Mapping[str, Any] | None = None
    bn_params: Mapping[BatchNormArgument, Any] | None = None
    init_cfg: Mapping[InitArgument, Any] | str | None = None

    def __post_init__(self) -> None:
        super().__init__()
        check_depth(self.depth, type(self).__name__)
        check_entries(self.num_filters, self.kernel_size, self.downsampling, self.downsampling_temporal, self.non_local)
        if self.bn_params is None:
            self.bn_params = {"eps": 1e-3, "momentum": 0.1}
        self.in_chans = self.num_input_channels
        self.num_features = self.num_filters[-1]
        self.trains_channels_last = getattr(BRICKS[self.branch_name], "trains_channels_last", True)
        self.conv1: nn.Module = self._stem()
        self.conv2, self.conv3, self.conv4, self.conv5 = (self._stage(index) for index in range(1, 5))
        self.feature_info = self._feature_info()
        initialize(self, self.init_cfg)

    def _stem(self) -> nn.Module:
        stem: nn.Module = BRICKS.build(
            {
                "type": self.stem_name,
                "dim_in": self.num_input_channels,
                "num_filters": self.num_filters[0],
                "kernel_size": self.kernel_size[0],
                "downsampling": self.downsampling[0],
                "downsampling_temporal": self.downsampling_temporal[0],
                "bn_params": self.bn_params,
            }
        )
        return stem

    def _stage(self, index: int) -> nn.Module:
        bottleneck = self.depth in BOTTLENECK_DEPTHS
        return Base3DResStage(
            BLOCKS_PER_STAGE[self.depth][index - 1],
            self.branch_name,
            dim_in=self.num_filters[index - 1],
            num_filters=self.num_filters[index],
            kernel_size=self.kernel_size[index],
            downsampling=self.downsampling[index],
            downsampling_temporal=self.downsampling_temporal[index],
            expansion_ratio=self.expansion_ratio,
            branch_style="bottleneck" if bottleneck else "simple_block",
            branch_cfg=self.branch_cfg,
            bn_params=self.bn_params,
            non_local=bool(self.non_local[index]),
            non_local_cfg=self.non_local_cfg,
        )

    def forward(self, video: Tensor) -> Tensor:
        """Returns the features of the last stage.

        Args:
            video: normalised clips (N, C, T, H, W).

        Raises:
            InputError: another rank, other channels, integers, or an empty dimension.
        """
        features: Tensor = self.forward_features(video)  # type: ignore[assignment]
        return features

    def feature_maps(self, video: Tensor) -> Iterator[Tensor]:
        """Yields the output of the stem, then of each stage."""
        features = video
        for stage in (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5):
            features = self.run(stage, features)
            yield features

    def _feature_info(self) -> tuple[FeatureInfo, ...]:
        time, _, space = _total_stride(self.conv1)
        info = []
        for index in range(5):
            if index:
                stride = strides(self.downsampling[index], self.downsampling_temporal[index])
                time, space = time * stride[0], space * stride[2]
            info.append(FeatureInfo(f"conv{index + 1}", self.num_filters[index], space, time))
        return tuple(info)


def _total_stride(stem: nn.Module) -> Triple:
    """Multiplies the strides of a stem's layers, which follow each other."""
    total = (1, 1, 1)
    for layer in stem.modules():
        if isinstance(layer, (nn.Conv3d, nn.MaxPool3d)):
            time, height, width = (layer.stride,) * 3 if isinstance(layer.stride, int) else layer.stride
            total = (total[0] * time, total[1] * height, total[2] * width)
    return total
