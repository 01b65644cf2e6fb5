"""Classes to inherit in a pack's own tests: the checks of `essmc check`, one test for each."""

from essmc_devkit.testing.components import ComponentConformance
from essmc_devkit.testing.networks import BackboneConformance, HeadConformance, ModelConformance, NeckConformance

__all__ = [
    "BackboneConformance",
    "ComponentConformance",
    "HeadConformance",
    "ModelConformance",
    "NeckConformance",
]
