"""S3D and S3D-G."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from essmc_core.contract.annotations import PositiveInt
from essmc_core.contract.features import FeatureInfo
from essmc_core.contract.processors import table
from essmc_video.arguments.option_names import BatchNormArgument
from essmc_video.layers.max_pool import SeparableMaxPool3d
from essmc_video.networks.minimum_clip import check_least_size
from essmc_video.networks.s3d.mixed import Mixed
from essmc_video.networks.s3d.units import PointwiseUnit, SeparableUnit
from essmc_video.networks.staged_backbone import StagedBackbone

TORCHVISION_BN: Mapping[BatchNormArgument, Any] = {"eps": 1e-3, "momentum": 1e-3}
# Input channels of each Inception block, and the widths of its branches.
MIXED_3 = ((192, (64, 96, 128, 16, 32, 32)), (256, (128, 128, 192, 32, 96, 64)))
MIXED_4 = (
    (480, (192, 96, 208, 16, 48, 64)),
    (512, (160, 112, 224, 24, 64, 64)),
    (512, (128, 128, 256, 24, 64, 64)),
    (512, (112, 144, 288, 32, 64, 64)),
    (528, (256, 160, 320, 32, 128, 128)),
)
MIXED_5 = ((832, (256, 160, 320, 32, 128, 128)), (832, (384, 192, 384, 48, 128, 128)))


@table.MANY_POOLS_AS_GIVEN.taken_by
class S3D(StagedBackbone):
    """Separable Inception: (N, in_chans, T, H, W) → (N, 1024, T / 8, H / 32, W / 32).

    Xie et al., "Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs in Video Classification",
    ECCV 2018. Clips have at least 5 frames of at least 17×17 pixels.

    Args:
        in_chans: channels of the video.
        gating: scale the channels of every branch by what the clip looks like, which makes it S3D-G.
        bn_params: arguments of the separable convolutions' batch norms; eps 1e-3 and momentum 1e-3 without, as in
            torchvision.
        pointwise_bn_params: arguments of the other batch norms; the same without.

    Attributes:
        feature_info: the five blocks.
    """

    num_features = 1024
    trains_channels_last = False

    def __init__(
        self,
        in_chans: PositiveInt = 3,
        gating: bool = False,
        bn_params: Mapping[BatchNormArgument, Any] | None = None,
        pointwise_bn_params: Mapping[BatchNormArgument, Any] | None = None,
    ) -> None:
        super().__init__()
        separable = TORCHVISION_BN if bn_params is None else bn_params
        pointwise = TORCHVISION_BN if pointwise_bn_params is None else pointwise_bn_params
        self.in_chans = in_chans
        self.feature_info = [
            FeatureInfo("block1", 64, 2, 2),
            FeatureInfo("block2", 192, 4, 2),
            FeatureInfo("block3", 480, 8, 2),
            FeatureInfo("block4", 832, 16, 4),
            FeatureInfo("block5", 1024, 32, 8),
        ]

        def mixed(blocks: Sequence[tuple[int, Sequence[int]]]) -> list[nn.Module]:
            return [Mixed(channels, widths, gating, separable, pointwise) for channels, widths in blocks]

        def spatial_pool() -> nn.Module:
            return nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))

        self.block1 = nn.Sequential(SeparableUnit(in_chans, 64, 7, stride=2, bn_params=separable))
        self.block2 = nn.Sequential(
            spatial_pool(), PointwiseUnit(64, 64, pointwise), SeparableUnit(64, 192, 3, bn_params=separable)
        )
        self.block3 = nn.Sequential(spatial_pool(), *mixed(MIXED_3))
        self.block4 = nn.Sequential(SeparableMaxPool3d(3, stride=2, padding=1), *mixed(MIXED_4))
        self.block5 = nn.Sequential(SeparableMaxPool3d(2, stride=2), *mixed(MIXED_5))
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.normal_(module.weight, std=0.01)

    def forward(self, video: Tensor) -> Tensor:
        """Returns the features of the last block.

        Args:
            video: normalised clips (N, C, T, H, W).

        Raises:
            InputError: another rank, other channels, integers, less than 5 frames or less than 17 pixels.
        """
        last = self.forward_features(video)
        assert isinstance(last, Tensor)
        return last

    def check(self, video: Tensor) -> None:
        """Refuses what this network cannot take.

        Raises:
            InputError: names what the backbone takes and what it got.
        """
        super().check(video)
        check_least_size(video, frames=5, side=17)

    def feature_maps(self, video: Tensor) -> Iterator[Tensor]:
        """Yields what each block returns."""
        for block in (self.block1, self.block2, self.block3, self.block4, self.block5):
            video = self.run(block, video)
            yield video


class S3DG(S3D):
    """S3D with feature gating, and with torch's default batch norms.

    Args:
        in_chans: channels of the video.
        gating: scale the channels of every branch by what the clip looks like.
        bn_params: arguments of the separable convolutions' batch norms; torch's defaults without.
        pointwise_bn_params: arguments of the other batch norms; torch's defaults without.
    """

    def __init__(
        self,
        in_chans: PositiveInt = 3,
        gating: bool = True,
        bn_params: Mapping[BatchNormArgument, Any] | None = None,
        pointwise_bn_params: Mapping[BatchNormArgument, Any] | None = None,
    ) -> None:
        super().__init__(in_chans, gating, bn_params or {}, pointwise_bn_params or {})
