"""Classes to inherit in a pack's own tests: the checks of `essmc check`, one test for each.

They are imported on first access, so that the fixtures beside them need no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from essmc_core.foundation.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from essmc_devkit.testing.components import ComponentConformance, ModuleConformance
    from essmc_devkit.testing.networks import BackboneConformance, HeadConformance, ModelConformance, NeckConformance
    from essmc_devkit.testing.pack import PackConformance
    from essmc_devkit.testing.parts import (
        DatasetConformance,
        LossConformance,
        MetricConformance,
        TransformConformance,
    )
    from essmc_devkit.testing.running_parts import (
        EngineConformance,
        HookConformance,
        OptimizerConformance,
        SamplerConformance,
        ScheduleConformance,
    )
    from essmc_devkit.testing.zoo import ZooConformance

__all__ = [
    "BackboneConformance",
    "ComponentConformance",
    "DatasetConformance",
    "EngineConformance",
    "HeadConformance",
    "HookConformance",
    "LossConformance",
    "MetricConformance",
    "ModelConformance",
    "ModuleConformance",
    "NeckConformance",
    "OptimizerConformance",
    "PackConformance",
    "SamplerConformance",
    "ScheduleConformance",
    "TransformConformance",
    "ZooConformance",
]

_HOMES = {
    ".components": ("ComponentConformance", "ModuleConformance"),
    ".networks": ("BackboneConformance", "HeadConformance", "ModelConformance", "NeckConformance"),
    ".pack": ("PackConformance",),
    ".parts": ("DatasetConformance", "LossConformance", "MetricConformance", "TransformConformance"),
    ".running_parts": (
        "EngineConformance",
        "HookConformance",
        "OptimizerConformance",
        "SamplerConformance",
        "ScheduleConformance",
    ),
    ".zoo": ("ZooConformance",),
}
__getattr__, __dir__ = lazy_exports(__name__, {name: home for home, names in _HOMES.items() for name in names})
