"""What this pack tells the core: one backbone for each timm model."""

from __future__ import annotations

from essmc_core import hookimpl
from essmc_core.hooks import Registries
from essmc_timm.index import load_index

_TARGET = "essmc_timm.backbone:timm_backbone"


@hookimpl
def register_components(registries: Registries) -> None:
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
                deprecated=old_names.get(name, ()),
                bare=False,
                bound={"model_name": name},
            )
