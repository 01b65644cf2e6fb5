"""Nothing of the installation of our own packs is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from essmc_devkit.checking import check_pack
from essmc_devkit.installation.finding_packs import installed_pack
from essmc_devkit.options import Options

PLUGINS = sorted(path.parent.name for path in (Path(__file__).parents[3] / "plugins").glob("*/pyproject.toml"))


@pytest.mark.slow
@pytest.mark.parametrize("name", PLUGINS)
def test_the_installation_is_in_order(name: str) -> None:
    findings = list(check_pack(installed_pack(name), Options(fast=True)))
    assert [finding for finding in findings if finding.status in ("failed", "skipped")] == []
    assert len({finding.check for finding in findings}) == len(findings) >= 20
