"""X3D's trunk: stem and four stages of inverted bottlenecks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from essmc_core.contract.annotations import NonNegativeFloat, PositiveFloat, PositiveInt
from essmc_core.contract.features import FeatureInfo
from essmc_video.arguments.option_names import BatchNormArgument
from essmc_video.arguments.sizes import Triple, triple
from essmc_video.arguments.widths import round_depth, round_width
from essmc_video.networks.staged_backbone import StagedBackbone
from essmc_video.networks.x3d.block import X3DBlock, X3DStem
from essmc_video.networks.x3d.initialization import initialize
from essmc_video.networks.x3d.rules import check_arguments


@dataclass(eq=False, repr=False)
class X3D(StagedBackbone):
    """Stem ``conv1`` and stages ``conv2`` to ``conv5``: (N, C, T, H, W) → (N, 192, T, H/32, W/32).

    Feichtenhofer, "X3D: Expanding Architectures for Efficient Video Recognition", CVPR 2020. Widths are rounded to
    multiples of 8. X3D-XS, S and M differ only in their clips and their head's window; L has ``depth_factor`` 5.

    Args:
        in_chans: channels of the video.
        width_factor: channels of the stages over those of the first network, 12 to 96.
        depth_factor: blocks of the stages over those of the first network, 1, 2, 5 and 3.
        bottleneck_factor: channels inside a block over those of its stage.
        se_ratio: hidden channels of squeeze-and-excitation, in every other block, over those inside the block; 0 for
            none.
        stem_width: channels of the stem before ``width_factor``.
        stem_kernel_size: (time, height, width).
        stage_kernel_sizes: (time, height, width) of the depthwise convolutions, per stage.
        spatial_strides: of the stages' first blocks.
        temporal_strides: likewise.
        bn_params: arguments of every batch norm; without, eps is 1e-5 and momentum 0.1.
        shortcut_norm: which convolutional shortcuts have a batch norm: those that widen (pytorchvideo), or always
            (PySlowFast), which differs in the first stage.

    Attributes:
        dim_inner: channels inside the last block, which is also how much the head widens its input.

    Raises:
        ConfigError: a sequence that has not an entry per stage, or unknown ``shortcut_norm``.
    """

    in_chans: PositiveInt = 3
    width_factor: PositiveFloat = 2.0
    depth_factor: PositiveFloat = 2.2
    bottleneck_factor: PositiveFloat = 2.25
    se_ratio: NonNegativeFloat = 0.0625
    stem_width: PositiveInt = 12
    stem_kernel_size: Sequence[int] = (5, 3, 3)
    stage_kernel_sizes: Sequence[Sequence[int]] = ((3, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3))
    spatial_strides: Sequence[int] = (2, 2, 2, 2)
    temporal_strides: Sequence[int] = (1, 1, 1, 1)
    bn_params: Mapping[BatchNormArgument, Any] | None = None
    shortcut_norm: Literal["widening", "always"] = "widening"

    def __post_init__(self) -> None:
        super().__init__()
        check_arguments(
            self.stem_kernel_size,
            self.stage_kernel_sizes,
            self.spatial_strides,
            self.temporal_strides,
            self.shortcut_norm,
        )
        widths = self._widths()
        self.conv1 = X3DStem(
            self.in_chans, widths[0], triple("stem_kernel_size", self.stem_kernel_size), bn_params=self.bn_params
        )
        self.conv2, self.conv3, self.conv4, self.conv5 = (
            self._stage(index, widths[index], widths[index + 1]) for index in range(4)
        )
        self.num_features = widths[-1]
        self.dim_inner = self._inner(widths[-1])
        self.feature_info = tuple(self._describe(widths))
        initialize(self)

    def _widths(self) -> list[int]:
        """Returns the channels of stem and stages."""
        bases = [self.stem_width]
        for _ in range(3):
            bases.append(round_width(bases[-1], 2.0))
        return [round_width(base, self.width_factor) for base in (self.stem_width, *bases)]

    def _inner(self, width: int) -> int:
        return int(self.bottleneck_factor * width)

    def _stage(self, index: int, dim_in: int, dim_out: int) -> nn.Sequential:
        kernel_size = triple("stage_kernel_sizes", self.stage_kernel_sizes[index])
        space, time = self.spatial_strides[index], self.temporal_strides[index]
        inner = self._inner(dim_out)
        squeezed = round_width(inner, self.se_ratio) if self.se_ratio else 0
        stage = nn.Sequential()
        for block in range(round_depth((1, 2, 5, 3)[index], self.depth_factor)):
            stride: Triple = (time, space, space) if block == 0 else (1, 1, 1)
            branch = X3DBlock(
                dim_in if block == 0 else dim_out,
                inner,
                dim_out,
                kernel_size,
                stride,
                squeezed if block % 2 == 0 else 0,
                self.bn_params,
                self.shortcut_norm,
            )
            stage.add_module(f"res_{block + 1}", branch)
        return stage

    def _describe(self, widths: Sequence[int]) -> Iterator[FeatureInfo]:
        space, time = 2, 1
        yield FeatureInfo("conv1", widths[0], space, time)
        for index, width in enumerate(widths[1:]):
            space, time = space * self.spatial_strides[index], time * self.temporal_strides[index]
            yield FeatureInfo(f"conv{index + 2}", width, space, time)

    def feature_maps(self, video: Tensor) -> Iterator[Tensor]:
        """Yields the outputs of the stem and the stages."""
        x = video
        for stage in (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5):
            x = self.run(stage, x)
            yield x

    def forward(self, video: Tensor) -> Tensor:
        """Returns the features of the last stage.

        Args:
            video: normalised clips (N, C, T, H, W).

        Raises:
            InputError: another rank, other channels or number type.
        """
        features = self.forward_features(video)
        assert isinstance(features, Tensor)
        return features
