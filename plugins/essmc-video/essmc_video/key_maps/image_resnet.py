"""Key maps of image ResNets, torchvision's and timm's, for the backbones of our 3D ResNets, both ways.

They hold for every depth, of basic blocks and of bottlenecks, and for all networks whose blocks are `ResidualBlock`
with one convolution per 2D one: C2D, I3D, SlowOnly, `ResNetR2D3D`, `ResNet3D_TAda`. Image kernels are 2D: load them
with ``inflate="average"`` or ``"centre"``. The 2D classifier, ``fc``, is dropped. timm's variants with a deeper stem
(``resnet50d``) have other layers.
"""

from __future__ import annotations

import re

from essmc_video.key_maps.pytorchvideo_blocks import MOST_BLOCKS, KeyMap

_STAGES = tuple((f"layer{stage}", f"conv{stage + 1}") for stage in (1, 2, 3, 4))
_LAYERS = (
    ("conv1", "conv_branch.a"),
    ("bn1", "conv_branch.a_bn"),
    ("conv2", "conv_branch.b"),
    ("bn2", "conv_branch.b_bn"),
    ("conv3", "conv_branch.c"),
    ("bn3", "conv_branch.c_bn"),
    ("downsample.0", "short_cut"),
    ("downsample.1", "short_cut_bn"),
)

FROM_IMAGE: KeyMap = (
    (r"^conv1\.", "conv1.a."),
    (r"^bn1\.", "conv1.a_bn."),
    *((rf"^{theirs}\.", f"{ours}.") for theirs, ours in _STAGES),
    *((rf"^(conv\d)\.{block}\.", rf"\1.res_{block + 1}.") for block in range(MOST_BLOCKS)),
    *((rf"^(conv\d\.res_\d+)\.{re.escape(theirs)}\.", rf"\1.{ours}.") for theirs, ours in _LAYERS),
    (r"^fc\..*$", ""),
)
TO_IMAGE: KeyMap = (
    *((rf"^(conv\d\.res_\d+)\.{re.escape(ours)}\.", rf"\1.{theirs}.") for theirs, ours in _LAYERS),
    *((rf"^(conv\d)\.res_{block + 1}\.", rf"\1.{block}.") for block in range(MOST_BLOCKS)),
    *((rf"^{ours}\.", f"{theirs}.") for theirs, ours in _STAGES),
    (r"^conv1\.a_bn\.", "bn1."),
    (r"^conv1\.a\.", "conv1."),
)
