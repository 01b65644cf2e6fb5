"""The user's choice among packs that offer the same bare name: ``ESSMC_PINS`` and ``[tool.essmc.pins]``."""

from __future__ import annotations

import os
from collections.abc import Mapping

from essmc_core.errors import ConfigError
from essmc_core.location import Location
from essmc_core.registry.project_file import project_table


def read_pins() -> Mapping[str, str]:
    """Returns pins by bare name or ``kind/name``; the environment wins over the nearest ``pyproject.toml``.

    Raises:
        ConfigError: a pin is not ``NAME=PACK``, or the file is not TOML.
    """
    return {**_from_pyproject(), **pins_of_environment()}


def pins_of_environment() -> dict[str, str]:
    """Returns the pins of ``ESSMC_PINS``.

    Raises:
        ConfigError: a pin is not ``NAME=PACK``.
    """
    pins = {}
    for item in filter(None, (part.strip() for part in os.environ.get("ESSMC_PINS", "").split(","))):
        name, equals, pack = item.partition("=")
        if not (equals and name.strip() and pack.strip()):
            raise ConfigError(f"ESSMC_PINS holds {item!r}, which is not NAME=PACK", where=Location("ESSMC_PINS"))
        pins[name.strip()] = pack.strip()
    return pins


def _from_pyproject() -> dict[str, str]:
    project = project_table()
    if project is None:
        return {}
    pins = project.values.get("pins", {})
    if not isinstance(pins, dict) or not all(isinstance(pack, str) for pack in pins.values()):
        raise ConfigError("[tool.essmc.pins] must map names to packs", where=project.where)
    return dict(pins)
