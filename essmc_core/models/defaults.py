"""The zoo and the discovery that belong to the default registries."""

from __future__ import annotations

from essmc_core.discovery import Discovery
from essmc_core.registry.kinds import DEFAULT
from essmc_core.zoo.zoo import Zoo

ZOO = Zoo()
DISCOVERY = Discovery(DEFAULT, ZOO)
