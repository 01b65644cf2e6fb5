"""Finds the shots of a video: `find_shots`, ``essmc shots`` and the network TransNet V2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from essmc_core.foundation.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from essmc_shots.finding import find_shots as find_shots
    from essmc_shots.shots import Shot as Shot

__getattr__, __dir__ = lazy_exports(__name__, {"Shot": ".shots", "find_shots": ".finding"})
