"""What this pack brings, by name; no component is imported here."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from essmc_core import hookimpl
from essmc_core.discovery.hooks import Registries
from essmc_core.zoo.zoo import Zoo
from essmc_video import retired
from essmc_video.key_maps import registrations as key_maps
from essmc_video.lift import registrations as lift
from essmc_video.mvit import registrations as mvit
from essmc_video.resnets import registrations as resnets
from essmc_video.s3d import registrations as s3d
from essmc_video.slowfast import registrations as slowfast
from essmc_video.tadaconvnext import registrations as tadaconvnext
from essmc_video.tadaformer import registrations as tadaformer
from essmc_video.transformers import registrations as transformers
from essmc_video.x3d import registrations as x3d


@hookimpl
def register_components(registries: Registries) -> None:
    """Registers the video backbones, then their bricks."""
    _register_backbones(registries)
    _register_bricks(registries)
    lift.register(registries)
    s3d.register(registries)
    tadaconvnext.register(registries)
    tadaformer.register(registries)
    mvit.register(registries)
    resnets.register(registries)
    slowfast.register(registries)
    transformers.register(registries)
    x3d.register(registries)
    key_maps.register(registries)


@hookimpl
def register_zoo(zoo: Zoo) -> None:
    """Adds the entries of this pack."""
    zoo.add_directory(Path(__file__).parent / "zoo")


def _register_backbones(registries: Registries) -> None:
    check = "essmc_video.residual_rules:check_residual"
    add = partial(registries.backbones.register, retired=retired.OF_BACKBONES, check=check)
    add("ResNet3D", "essmc_video.resnet3d:ResNet3D", summary="Configurable five-stage residual 3D network")
    add("ResNetR2D3D", "essmc_video.resnet3d_presets:ResNetR2D3D", summary="2D stages first, 3D stages after")
    add("ResNet2Plus1d", "essmc_video.resnet3d_presets:ResNet2Plus1d", summary="R(2+1)D: factorised 3D convolutions")
    add("ResNet3D_CSN", "essmc_video.resnet3d_presets:ResNet3D_CSN", summary="ir-CSN: depthwise 3D convolutions")
    add("ResNet3D_TAda", "essmc_video.resnet3d_presets:ResNet3D_TAda", summary="TAda2D: temporally adaptive 2D")


def _register_bricks(registries: Registries) -> None:
    add = partial(registries.bricks.register, retired=retired.OF_BRICKS)
    add("R2D3DBranch", "essmc_video.branches.r2d3d:R2D3DBranch", summary="Residual branch of plain convolutions")
    add("R2Plus1DBranch", "essmc_video.branches.r2plus1d:R2Plus1DBranch", summary="Spatial, then temporal convolution")
    add("CSNBranch", "essmc_video.branches.csn:CSNBranch", summary="Bottleneck with a depthwise 3D convolution")
    add(
        "TAdaConvBlockAvgPool",
        "essmc_video.branches.tada:TAdaConvBlockAvgPool",
        summary="Bottleneck with TAdaConv and temporal average pooling",
    )
    add("NonLocal", "essmc_video.non_local:NonLocal", summary="Self-attention over all positions of a clip")
    add("Base2DStem", "essmc_video.stems:Base2DStem", summary="Spatial convolution")
    add("Base3DStem", "essmc_video.stems:Base3DStem", summary="3D convolution")
    add("DownSampleStem", "essmc_video.stems:DownSampleStem", summary="3D convolution and spatial max pooling")
    add("R2Plus1DStem", "essmc_video.stems:R2Plus1DStem", summary="Spatial, then temporal convolution")
