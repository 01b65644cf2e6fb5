"""What this pack registers: a folder of zoo entries."""

from __future__ import annotations

from pathlib import Path

from essmc_core import hookimpl
from essmc_core.discovery.hooks import StagedZoo


@hookimpl
def register_zoo(zoo: StagedZoo) -> None:
    """Adds ``tf_efficientnet_lite{0,1,2}_in1k``."""
    zoo.add_directory(Path(__file__).parent / "zoo")
