"""Registers TAdaConvNeXtV2."""

from __future__ import annotations

from essmc_core.discovery.hooks import StagedRegistries


def register(registries: StagedRegistries) -> None:
    """Registers the backbone."""
    registries.backbones.register(
        "TAdaConvNeXtV2",
        "essmc_video.networks.tadaconvnext.backbone:TAdaConvNeXtV2",
        summary="ConvNeXt with temporally adaptive depthwise convolutions",
        check="essmc_video.networks.tadaconvnext.rules:check_tadaconvnext",
    )
