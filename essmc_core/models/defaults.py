"""The default registries, zoo and discovery, put together: the core's only global state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from essmc_core.discovery import Discovery
from essmc_core.registry.kinds import Registries
from essmc_core.registry.pins import read_pins
from essmc_core.registry.registry import Registry
from essmc_core.weights.key_maps import NAMES
from essmc_core.zoo.named_key_maps import RegisteredKeyMaps
from essmc_core.zoo.zoo import Zoo


def _build(registry: Registry, cfg: object, overrides: Mapping[str, Any]) -> Any:
    # Listing must not import what building needs.
    from essmc_core.building.build import build

    return build(registry, cfg, overrides)


def default_registry(kind: str) -> Registry:
    """Returns the default registry of a kind; unpickling a registry calls it."""
    return REGISTRIES[kind]


def new_registries() -> Registries:
    """Returns empty registries of all kinds that look up and build like the default ones."""
    return Registries(_build, read_pins)


REGISTRIES = Registries(_build, read_pins, restore=default_registry)
ZOO = Zoo(read_pins)
DISCOVERY = Discovery(REGISTRIES, ZOO, read_pins)
REGISTRIES.explain = ZOO.explain = DISCOVERY.explain
ZOO.installed = lambda: {name: pack.version for name, pack in DISCOVERY.packs.items()}
NAMES.look_up_in(RegisteredKeyMaps(REGISTRIES["key_maps"], ZOO, REGISTRIES["layouts"]))

MODELS = REGISTRIES["models"]
BACKBONES = REGISTRIES["backbones"]
NECKS = REGISTRIES["necks"]
HEADS = REGISTRIES["heads"]
BRICKS = STEMS = REGISTRIES["bricks"]
LOSSES = REGISTRIES["losses"]
METRICS = REGISTRIES["metrics"]
SOLVERS = REGISTRIES["solvers"]
HOOKS = REGISTRIES["hooks"]
OPTIMIZERS = REGISTRIES["optimizers"]
LR_SCHEDULERS = REGISTRIES["lr_schedulers"]
TRANSFORMS = REGISTRIES["transforms"]
FRAME_SAMPLERS = REGISTRIES["frame_samplers"]
DATASETS = REGISTRIES["datasets"]
