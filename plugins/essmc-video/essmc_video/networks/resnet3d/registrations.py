"""What this family registers, by name; no component is imported here."""

from __future__ import annotations

from functools import partial

from essmc_core.discovery.hooks import StagedRegistries
from essmc_video.arguments import retired


def register(registries: StagedRegistries) -> None:
    """Registers the backbones, then the bricks of which they are made."""
    _register_backbones(registries)
    _register_branches(registries)
    _register_stems_and_attention(registries)


def _register_backbones(registries: StagedRegistries) -> None:
    check = "essmc_video.networks.resnet3d.rules:check_residual"
    add = partial(registries.backbones.register, check=check)
    old = partial(add, retired=retired.OF_BACKBONES)
    old(
        "ResNet3D",
        "essmc_video.networks.resnet3d.backbone:ResNet3D",
        summary="Configurable five-stage residual 3D network",
    )
    old("ResNetR2D3D", "essmc_video.networks.resnet3d.presets:ResNetR2D3D", summary="2D stages first, 3D stages after")
    old(
        "ResNet2Plus1d",
        "essmc_video.networks.resnet3d.presets:ResNet2Plus1d",
        summary="R(2+1)D: factorised 3D convolutions",
    )
    old(
        "ResNet3D_CSN",
        "essmc_video.networks.resnet3d.presets:ResNet3D_CSN",
        summary="ir-CSN: depthwise 3D convolutions",
    )
    old(
        "ResNet3D_TAda", "essmc_video.networks.resnet3d.presets:ResNet3D_TAda", summary="TAda2D: temporally adaptive 2D"
    )
    add(
        "ResNet3D_IPCSN",
        "essmc_video.networks.resnet3d.presets:ResNet3D_IPCSN",
        summary="ip-CSN: channels mixed before depthwise",
    )


def _register_branches(registries: StagedRegistries) -> None:
    add = registries.bricks.register
    old = partial(add, retired=retired.OF_BRICKS)
    old(
        "R2D3DBranch",
        "essmc_video.networks.resnet3d.branches.r2d3d:R2D3DBranch",
        summary="Residual branch of plain convolutions",
    )
    old(
        "R2Plus1DBranch",
        "essmc_video.networks.resnet3d.branches.r2plus1d:R2Plus1DBranch",
        summary="Spatial, then temporal convolution",
    )
    old(
        "CSNBranch",
        "essmc_video.networks.resnet3d.branches.csn:CSNBranch",
        summary="Bottleneck with a depthwise 3D convolution",
    )
    old(
        "TAdaConvBlockAvgPool",
        "essmc_video.networks.resnet3d.branches.tada:TAdaConvBlockAvgPool",
        summary="Bottleneck with TAdaConv and temporal average pooling",
    )
    add(
        "TemporalBottleneckBranch",
        "essmc_video.networks.resnet3d.branches.temporal:TemporalBottleneckBranch",
        summary="Bottleneck whose first convolution is temporal",
    )
    add(
        "TemporalFirstR2Plus1DBranch",
        "essmc_video.networks.resnet3d.branches.r2plus1d:TemporalFirstR2Plus1DBranch",
        summary="Bottleneck with a temporal, then a spatial convolution",
    )
    add(
        "IPCSNBranch",
        "essmc_video.networks.resnet3d.branches.csn:IPCSNBranch",
        summary="Pointwise and depthwise convolution",
    )


def _register_stems_and_attention(registries: StagedRegistries) -> None:
    add = partial(registries.bricks.register, retired=retired.OF_BRICKS)
    add(
        "NonLocal",
        "essmc_video.networks.resnet3d.non_local:NonLocal",
        summary="Self-attention over all positions of a clip",
    )
    add("Base2DStem", "essmc_video.networks.resnet3d.stems:Base2DStem", summary="Spatial convolution")
    add("Base3DStem", "essmc_video.networks.resnet3d.stems:Base3DStem", summary="3D convolution")
    add(
        "DownSampleStem",
        "essmc_video.networks.resnet3d.stems:DownSampleStem",
        summary="3D convolution and spatial max pooling",
    )
    add(
        "R2Plus1DStem", "essmc_video.networks.resnet3d.stems:R2Plus1DStem", summary="Spatial, then temporal convolution"
    )
