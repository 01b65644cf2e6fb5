"""Engines of essmc-engines, by the class of the devkit; those that compile are compared in test_optimize.py."""

from __future__ import annotations

from essmc_devkit.testing import EngineConformance


class TestEngines(EngineConformance):
    cases = {name: name for name in ("eager", "folded", "onednn")}
