"""What is wrong with an engine or precision that was asked for, found before anything is read or built for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from essmc_core.contract.engine import PRECISIONS, Engine, EngineError
from essmc_core.errors import ConfigError
from essmc_core.models.defaults import REGISTRIES

REFERENCE = "eager"
"""The engine that every other one is compared with."""


def check_precision(precision: str) -> None:
    """Checks that there is such a precision.

    Raises:
        ConfigError: there is none.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"There is no precision {precision!r}.", hint=f"Choose from {', '.join(PRECISIONS)}.")


def check_asked(engine: str | Mapping[str, Any], precision: str, device: torch.device) -> None:
    """Checks that an engine can be used here, whatever the model.

    Args:
        engine: ``auto``, or the name or configuration of an engine.
        precision: what it is to compute in.
        device: where.

    Raises:
        ConfigError: there is no such precision, or the engine has no such option.
        UnknownComponent: there is no such engine, or none at all.
        EngineError: it does not run on the device or in the precision, or something that it needs is not installed.
    """
    check_precision(precision)
    if engine == "auto":
        REGISTRIES["engines"].component(REFERENCE)
        return
    built: Engine = REGISTRIES["engines"].build(engine)
    if objection := built.objection(device, precision):
        name = engine if isinstance(engine, str) else engine.get("type")
        raise EngineError(f"the engine {name} cannot be used here: {objection}")
