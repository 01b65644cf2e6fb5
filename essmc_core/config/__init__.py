"""Configurations: YAML files that become immutable trees which know where each of their values was written."""

from __future__ import annotations

from essmc_core.config.load import PackResolver, load_config
from essmc_core.config.mapping import Config

__all__ = ["Config", "PackResolver", "load_config"]
