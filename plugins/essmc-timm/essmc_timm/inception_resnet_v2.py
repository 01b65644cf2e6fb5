"""EssentialMC2's image backbone ``InceptionResNetV2``: timm's network up to its last map."""

from __future__ import annotations

from torch import nn

from essmc_timm.backbone import timm_backbone


def inception_resnet_v2_trunk(in_chans: int = 3, pretrained: bool | str = False) -> nn.Module:
    """Builds the trunk: (N, C, H, W) → (N, 1536, H', W'), 8 x 8 for 299 x 299, neither pooled nor classified.

    Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning", AAAI 2017.
    The ``state_dict`` keys are those of Cadene's port, without ``last_linear`` or ``classif``.

    Args:
        in_chans: channels of the input.
        pretrained: true for timm's default ImageNet weights, or the tag of others.
    """
    return timm_backbone("inception_resnet_v2", in_chans=in_chans, pretrained=pretrained, pool=False)
