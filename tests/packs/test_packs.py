"""Every pack of this repository as it is installed, by the class of the devkit."""

from __future__ import annotations

import pytest

from essmc_devkit.installation.checks import check_discovery, check_files
from essmc_devkit.testing import PackConformance
from essmc_devkit.testing.pack import InstalledPack
from tests.architecture.imports import PACKS


@pytest.mark.slow
class TestPacks(PackConformance):
    cases = {path.name: path.name for path in PACKS.values()}

    def test_every_check_of_the_installation_is_made_once_and_none_is_skipped(self, subject: InstalledPack) -> None:
        findings = [*check_files(subject.pack), *check_discovery(subject.pack, subject.seen)]
        assert [finding for finding in findings if finding.status in ("failed", "skipped")] == []
        assert len({finding.check for finding in findings}) == len(findings) >= 20
