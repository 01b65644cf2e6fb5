"""Initial weights of X3D."""

from __future__ import annotations

from torch import nn

from essmc_video.networks.x3d.block import X3DBlock


def initialize(network: nn.Module) -> None:
    """Draws convolutions by He et al., ICCV 2015 (fan-out), and starts blocks as their shortcuts, in place."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, X3DBlock):
            nn.init.zeros_(module.conv_branch.c_bn.weight)
