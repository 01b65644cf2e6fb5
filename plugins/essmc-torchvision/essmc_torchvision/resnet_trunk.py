"""EssentialMC2's image backbone ``ResNet``: a torchvision ResNet up to its last map."""

from __future__ import annotations

from torch import nn

from essmc_core.errors import ConfigError
from essmc_torchvision.backbone import torchvision_backbone

DEPTHS = (18, 34, 50, 101, 152)


def resnet_trunk(depth: int = 50, in_chans: int = 3, pretrained: bool | str = False) -> nn.Module:
    """Builds the trunk: (N, C, H, W) → (N, 512 or 2048, H/32, W/32), neither pooled nor classified.

    The ``state_dict`` keys are torchvision's without ``fc``. He et al., "Deep Residual Learning for Image
    Recognition", CVPR 2016, with the stride in the bottleneck's middle convolution.

    Args:
        depth: 18, 34, 50, 101 or 152.
        in_chans: channels of the input.
        pretrained: true for torchvision's default ImageNet weights, or the name of others, e.g. ``IMAGENET1K_V1``.

    Raises:
        ConfigError: there is no such depth.
    """
    if depth not in DEPTHS:
        raise ConfigError(f"no ResNet of depth {depth} is defined", hint=f"depths: {', '.join(map(str, DEPTHS))}")
    return torchvision_backbone(f"resnet{depth}", in_chans=in_chans, pretrained=pretrained, pool=False)
