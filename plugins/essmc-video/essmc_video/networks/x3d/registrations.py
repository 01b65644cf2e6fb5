"""What this family registers, by name; no component is imported here."""

from __future__ import annotations

from essmc_core.discovery.hooks import StagedRegistries


def register(registries: StagedRegistries) -> None:
    """Registers the backbone and its head."""
    registries.backbones.register(
        "X3D",
        "essmc_video.networks.x3d.backbone:X3D",
        summary="Inverted bottlenecks, depthwise in 3D",
        check="essmc_video.networks.x3d.rules:check_x3d",
    )
    registries.heads.register(
        "X3DHead",
        "essmc_video.networks.x3d.head:X3DHead",
        summary="Widening, pooling of windows, hidden and linear layer",
        check="essmc_video.networks.bottleneck_resnet.rules:check_window_head",
    )
