"""Registers TAdaFormer."""

from __future__ import annotations

from essmc_core.discovery.hooks import StagedRegistries


def register(registries: StagedRegistries) -> None:
    """Registers the backbone."""
    registries.backbones.register(
        "TAdaFormer",
        "essmc_video.networks.tadaformer.backbone:TAdaFormer",
        summary="CLIP's image transformer with adaptive convolutions over time",
        check="essmc_video.networks.tadaformer.rules:check_tadaformer",
    )
