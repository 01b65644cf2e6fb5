"""The entries of essmc-efficientnet-lite, on small images, by the class of the devkit."""

from __future__ import annotations

import pytest

from essmc_devkit.testing import ZooConformance


@pytest.mark.slow
class TestZoo(ZooConformance):
    pack = "essmc-efficientnet-lite"
    narrow = {"*": {"input": [3, 64, 64]}}
    traces = exports = "tests/zoo traces and exports every entry"
    without = {"entry.weights": "their packages are not installed everywhere"}
