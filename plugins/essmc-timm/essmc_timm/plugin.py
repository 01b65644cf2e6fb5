"""What this pack registers: one backbone for each timm model, and zoo entries with timm's weights."""

from __future__ import annotations

from pathlib import Path

from essmc_core import hookimpl
from essmc_core.discovery.hooks import StagedRegistries, StagedRegistry, StagedZoo
from essmc_timm.index import load_index

_TARGET = "essmc_timm.backbone:timm_backbone"


@hookimpl
def register_components(registries: StagedRegistries) -> None:
    """Registers ``timm/<name>`` for every model of the installed timm, without importing it."""
    index = load_index()
    old_names = index.old_names()
    register = registries.backbones.register
    for family, names in index.models.items():
        summary = f"timm.models.{family}"
        for name in names:
            register(
                name,
                _TARGET,
                summary=summary,
                deprecated={old: _fixed_by(current, name) for old, current in old_names.get(name, {}).items()},
                bare=False,
                bound={"model_name": name},
            )
    register(
        "InceptionResNetV2",
        "essmc_timm.inception_resnet_v2:inception_resnet_v2_trunk",
        summary="Inception-ResNet-v2, up to the last map",
    )
    registries.heads.register(
        "Scores", "essmc_timm.scores:Scores", summary="Passes on the scores of a backbone that classifies", bare=False
    )


def _fixed_by(current: str, architecture: str) -> dict[str, str]:
    """Returns what an old name fixes beyond its architecture: the tag of the weights it stood for."""
    return {} if current == architecture else {"model_name": current}


@hookimpl
def register_zoo(zoo: StagedZoo) -> None:
    """Adds an entry for each of timm's weights, and those that `essmc_timm.generate_entries` wrote."""
    zoo.add_directory(Path(__file__).parent / "zoo")
    zoo.add_template("essmc_timm.zoo_entries:entry", table="essmc_timm.zoo_entries:rows", bare=False)


@hookimpl
def register_layouts(layouts: StagedRegistry) -> None:
    """Registers how timm's state dicts are recognised."""
    layouts.register("timm", "essmc_timm.layouts:timm", summary="timm: state dicts of its models")
