"""Published networks: ResNet3D with other defaults, each of which takes every argument of ResNet3D."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from essmc_video.arguments.option_names import InitArgument
from essmc_video.networks.resnet3d.backbone import ResNet3D


@dataclass(eq=False, repr=False)
class ResNetR2D3D(ResNet3D):
    """R2D3D: 2D stages first, 3D stages after.

    Han et al., "Video Representation Learning by Dense Predictive Coding", ICCV workshops 2019.
    (N, 3, 16, 112, 112) → (N, 256, 4, 4, 4). Arguments are those of ResNet3D.
    """

    depth: int = 18


@dataclass(eq=False, repr=False)
class ResNet2Plus1d(ResNet3D):
    """R(2+1)D: every convolution is a spatial and a temporal one.

    Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", CVPR 2018.
    (N, 3, 16, 112, 112) → (N, 512, 2, 7, 7). Arguments are those of ResNet3D.
    """

    depth: int = 10
    num_filters: Sequence[int] = (64, 64, 128, 256, 512)
    kernel_size: Sequence[Sequence[int]] = ((3, 7, 7), (3, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3))
    downsampling_temporal: Sequence[bool] = (False, False, True, True, True)
    stem_name: str = "R2Plus1DStem"
    branch_name: str = "R2Plus1DBranch"


@dataclass(eq=False, repr=False)
class ResNet3D_CSN(ResNet3D):
    """ir-CSN: bottlenecks with depthwise 3D convolutions, so depths 26, 50, 101 and 152.

    Tran et al., "Video Classification with Channel-Separated Convolutional Networks", ICCV 2019.
    (N, 3, 32, 224, 224) → (N, 2048, 4, 7, 7). Arguments are those of ResNet3D.
    """

    depth: int = 152
    num_filters: Sequence[int] = (64, 256, 512, 1024, 2048)
    kernel_size: Sequence[Sequence[int]] = ((3, 7, 7), (3, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3))
    downsampling_temporal: Sequence[bool] = (False, False, True, True, True)
    expansion_ratio: int = 4
    branch_name: str = "CSNBranch"


@dataclass(eq=False, repr=False)
class ResNet3D_IPCSN(ResNet3D_CSN):
    """ip-CSN: ir-CSN with a pointwise convolution before every depthwise one, so that channels keep interacting.

    Tran et al., "Video Classification with Channel-Separated Convolutional Networks", ICCV 2019.
    (N, 3, 32, 224, 224) → (N, 2048, 4, 7, 7). Arguments are those of ResNet3D.
    """

    branch_name: str = "IPCSNBranch"


@dataclass(eq=False, repr=False)
class ResNet3D_TAda(ResNet3D):
    """TAda2D: bottlenecks with temporally adaptive 2D convolutions, so depths 26, 50, 101 and 152.

    Huang et al., "TAda! Temporally-Adaptive Convolutions for Video Understanding", ICLR 2022.
    (N, 3, T, 224, 224) → (N, 2048, T, 7, 7). Arguments are those of ResNet3D; ``branch_cfg`` takes ``route_func_r``,
    ``route_func_k`` and ``pool_k``.
    """

    depth: int = 50
    num_filters: Sequence[int] = (64, 256, 512, 1024, 2048)
    kernel_size: Sequence[Sequence[int]] = ((1, 7, 7), (1, 3, 3), (1, 3, 3), (1, 3, 3), (1, 3, 3))
    downsampling: Sequence[bool] = (True, True, True, True, True)
    downsampling_temporal: Sequence[bool] = (False, False, False, False, False)
    expansion_ratio: int = 4
    stem_name: str = "Base2DStem"
    branch_name: str = "TAdaConvBlockAvgPool"
    init_cfg: Mapping[InitArgument, Any] | str | None = "kaiming"
