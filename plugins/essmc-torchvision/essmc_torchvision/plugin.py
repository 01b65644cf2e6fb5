"""What this pack registers: one backbone for each torchvision classifier, and zoo entries with its weights."""

from __future__ import annotations

from pathlib import Path

from essmc_core import hookimpl
from essmc_core.discovery.hooks import StagedRegistries, StagedRegistry, StagedZoo
from essmc_torchvision.index import read_index


@hookimpl
def register_components(registries: StagedRegistries) -> None:
    """Registers ``torchvision/<name>`` for every classifier of the installed torchvision, without importing it."""
    register = registries.backbones.register
    for model in read_index():
        register(
            model.name,
            "essmc_torchvision.backbone:torchvision_backbone",
            summary=model.module,
            bare=False,
            bound={"model_name": model.name},
        )
    register("ResNet", "essmc_torchvision.resnet_trunk:resnet_trunk", summary="2D residual network, up to the last map")


@hookimpl
def register_zoo(zoo: StagedZoo) -> None:
    """Adds an entry for each of torchvision's weights, and those that `essmc_torchvision.generate_entries` wrote."""
    zoo.add_directory(Path(__file__).parent / "zoo")
    zoo.add_template("essmc_torchvision.zoo_entries:entry", table="essmc_torchvision.zoo_entries:rows", bare=False)


@hookimpl
def register_layouts(layouts: StagedRegistry) -> None:
    """Registers how torchvision's state dicts are recognised."""
    layouts.register(
        "torchvision", "essmc_torchvision.layouts:torchvision", summary="torchvision: state dicts of its models"
    )
