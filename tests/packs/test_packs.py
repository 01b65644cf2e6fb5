"""Every pack of this repository as it is installed, by the class of the devkit."""

from __future__ import annotations

import pytest

from essmc_devkit.testing import PackConformance
from tests.architecture.imports import PACKS


@pytest.mark.slow
class TestPacks(PackConformance):
    cases = {path.name: path.name for path in PACKS.values()}
