"""What this family registers, by name; no component is imported here."""

from __future__ import annotations

from functools import partial

from essmc_core.discovery.hooks import Registries


def register(registries: Registries) -> None:
    """Registers the backbones, then their branches and their head."""
    add = partial(registries.backbones.register, check="essmc_video.resnets.rules:check_bottlenecks")
    add(
        "BottleneckResNet3D",
        "essmc_video.resnets.bottleneck_resnet:BottleneckResNet3D",
        summary="Bottlenecks with a temporal kernel per block",
    )
    add("C2D", "essmc_video.resnets.presets:C2D", summary="2D ResNet over frames, one temporal pooling")
    add("I3D", "essmc_video.resnets.presets:I3D", summary="Inflated ResNet with alternating temporal kernels")
    add("SlowOnly", "essmc_video.resnets.presets:SlowOnly", summary="Slow path of SlowFast alone")
    add(
        "R2Plus1DBottleneck",
        "essmc_video.resnets.presets:R2Plus1DBottleneck",
        summary="R(2+1)D of bottlenecks, temporal convolution first",
    )
    add(
        "ResNet3D_IPCSN",
        "essmc_video.resnets.presets:ResNet3D_IPCSN",
        summary="ip-CSN: channels mixed before depthwise",
        check="essmc_video.residual_rules:check_residual",
    )
    add = registries.bricks.register
    add(
        "TemporalBottleneckBranch",
        "essmc_video.resnets.branches:TemporalBottleneckBranch",
        summary="Bottleneck whose first convolution is temporal",
    )
    add(
        "TemporalFirstR2Plus1DBranch",
        "essmc_video.resnets.branches:TemporalFirstR2Plus1DBranch",
        summary="Bottleneck with a temporal, then a spatial convolution",
    )
    add("IPCSNBranch", "essmc_video.resnets.branches:IPCSNBranch", summary="Pointwise and depthwise convolution")
    add = registries.heads.register
    add(
        "WindowPoolHead",
        "essmc_video.resnets.window_pool_head:WindowPoolHead",
        summary="Scores of every pooling window, averaged",
        check="essmc_video.resnets.rules:check_window_head",
    )
