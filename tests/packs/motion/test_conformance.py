"""The entry of essmc-motion, by the class of the devkit."""

from __future__ import annotations

import pytest

from essmc_devkit.testing import ZooConformance


@pytest.mark.slow
class TestZoo(ZooConformance):
    pack = "essmc-motion"
    traces = exports = "tests/zoo traces and exports every entry"
