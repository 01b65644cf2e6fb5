"""What this pack registers, by name; no component is imported here."""

from __future__ import annotations

from pathlib import Path

from essmc_core import hookimpl
from essmc_core.discovery.hooks import StagedRegistries, StagedRegistry, StagedZoo
from essmc_video.key_maps import registrations as key_maps
from essmc_video.layouts import registrations as layout_names
from essmc_video.lift import registrations as lift
from essmc_video.networks.bottleneck_resnet import registrations as bottleneck_resnet
from essmc_video.networks.mvit import registrations as mvit
from essmc_video.networks.resnet3d import registrations as resnet3d
from essmc_video.networks.s3d import registrations as s3d
from essmc_video.networks.slowfast import registrations as slowfast
from essmc_video.networks.tadaconvnext import registrations as tadaconvnext
from essmc_video.networks.tadaformer import registrations as tadaformer
from essmc_video.networks.transformers import registrations as transformers
from essmc_video.networks.x3d import registrations as x3d


@hookimpl
def register_components(registries: StagedRegistries) -> None:
    """Registers every family of networks, the lift of image networks, and the key maps."""
    resnet3d.register(registries)
    lift.register(registries)
    s3d.register(registries)
    tadaconvnext.register(registries)
    tadaformer.register(registries)
    mvit.register(registries)
    bottleneck_resnet.register(registries)
    slowfast.register(registries)
    transformers.register(registries)
    x3d.register(registries)
    key_maps.register(registries)


@hookimpl
def register_zoo(zoo: StagedZoo) -> None:
    """Adds the entries of this pack."""
    zoo.add_directory(Path(__file__).parent / "zoo")


@hookimpl
def register_layouts(layouts: StagedRegistry) -> None:
    """Registers how files are recognised whose tensors the networks of this pack take."""
    layout_names.register(layouts)
