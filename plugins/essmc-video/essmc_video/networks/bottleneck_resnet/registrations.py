"""What this family registers, by name; no component is imported here."""

from __future__ import annotations

from functools import partial

from essmc_core.discovery.hooks import StagedRegistries


def register(registries: StagedRegistries) -> None:
    """Registers the backbones, then their head."""
    add = partial(registries.backbones.register, check="essmc_video.networks.bottleneck_resnet.rules:check_bottlenecks")
    add(
        "BottleneckResNet3D",
        "essmc_video.networks.bottleneck_resnet.backbone:BottleneckResNet3D",
        summary="Bottlenecks with a temporal kernel per block",
    )
    add(
        "C2D",
        "essmc_video.networks.bottleneck_resnet.presets:C2D",
        summary="2D ResNet over frames, one temporal pooling",
    )
    add(
        "I3D",
        "essmc_video.networks.bottleneck_resnet.presets:I3D",
        summary="Inflated ResNet with alternating temporal kernels",
    )
    add("SlowOnly", "essmc_video.networks.bottleneck_resnet.presets:SlowOnly", summary="Slow path of SlowFast alone")
    add(
        "R2Plus1DBottleneck",
        "essmc_video.networks.bottleneck_resnet.presets:R2Plus1DBottleneck",
        summary="R(2+1)D of bottlenecks, temporal convolution first",
    )
    registries.heads.register(
        "WindowPoolHead",
        "essmc_video.networks.bottleneck_resnet.head:WindowPoolHead",
        summary="Scores of every pooling window, averaged",
        check="essmc_video.networks.bottleneck_resnet.rules:check_window_head",
    )
