"""Published networks: the residual networks with other defaults, each of which takes every argument of its base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from essmc_video.networks.bottleneck_resnet.backbone import BottleneckResNet3D


@dataclass(eq=False, repr=False)
class C2D(BottleneckResNet3D):
    """C2D: a 2D ResNet over the frames, with one max pooling over pairs of frames.

    Wang et al., "Non-local Neural Networks", CVPR 2018, table 1, as pytorchvideo defines it.
    (N, 3, 8, 224, 224) → (N, 2048, 4, 7, 7). Arguments are those of BottleneckResNet3D.
    """

    temporal_pool: bool = True


@dataclass(eq=False, repr=False)
class I3D(BottleneckResNet3D):
    """I3D-ResNet: an inflated ResNet, where every other block of stages two to four sees neighbouring frames.

    Wang et al., "Non-local Neural Networks", CVPR 2018, section 4, after Carreira and Zisserman, "Quo Vadis, Action
    Recognition?", CVPR 2017; as pytorchvideo defines it. (N, 3, 8, 224, 224) → (N, 2048, 4, 7, 7). Arguments are those
    of BottleneckResNet3D.
    """

    stem_kernel_size: Sequence[int] = (5, 7, 7)
    temporal_kernels: Sequence[Sequence[int]] = ((3,), (3, 1), (3, 1), (1, 3))
    temporal_pool: bool = True


@dataclass(eq=False, repr=False)
class SlowOnly(BottleneckResNet3D):
    """The slow path of SlowFast alone.

    Feichtenhofer et al., "SlowFast Networks for Video Recognition", ICCV 2019, table 1.
    (N, 3, 8, 224, 224) → (N, 2048, 8, 7, 7). Arguments are those of BottleneckResNet3D.
    """

    temporal_kernels: Sequence[Sequence[int]] = ((1,), (1,), (3,), (3,))


@dataclass(eq=False, repr=False)
class R2Plus1DBottleneck(BottleneckResNet3D):
    """R(2+1)D of bottlenecks, whose split convolutions see time first, then space, as pytorchvideo defines it.

    After Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", CVPR 2018.
    (N, 3, 16, 224, 224) → (N, 2048, 4, 7, 7). Arguments are those of BottleneckResNet3D.
    """

    stem_pool: bool = False
    branch_name: str = "TemporalFirstR2Plus1DBranch"
    temporal_kernels: Sequence[Sequence[int]] = ((3,), (3,), (3,), (3,))
    spatial_strides: Sequence[int] = (2, 2, 2, 2)
    temporal_strides: Sequence[int] = (1, 1, 2, 2)
