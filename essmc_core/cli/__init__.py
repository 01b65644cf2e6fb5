"""The command ``essmc``."""

from essmc_core.cli.app import main

__all__ = ["main"]
