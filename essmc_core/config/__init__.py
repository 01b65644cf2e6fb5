"""Configurations: YAML files read into immutable trees that keep the position of each value."""

from __future__ import annotations

from essmc_core.config.load import PackResolver, load_config
from essmc_core.config.mapping import Config

__all__ = ["Config", "PackResolver", "load_config"]
