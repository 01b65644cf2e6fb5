"""A class to inherit in a pack's tests: the pack as a whole, as it is installed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, ClassVar

from essmc_devkit.children.limits import Limits
from essmc_devkit.components import declared
from essmc_devkit.components.subject import Subject
from essmc_devkit.finding import Finding
from essmc_devkit.installation.checks import check_discovery, check_files, observe_closely
from essmc_devkit.installation.finding_packs import installed_pack
from essmc_devkit.installation.observation import Observation
from essmc_devkit.installation.pack_under_test import PackUnderTest
from essmc_devkit.sampling import select
from essmc_devkit.testing.conforming import Conformance


class InstalledPack:
    """A pack, and what is seen when it is discovered in a process of its own.

    Args:
        distribution: what pip calls it.
    """

    def __init__(self, distribution: str) -> None:
        self.pack: PackUnderTest = installed_pack(distribution)

    @cached_property
    def seen(self) -> Observation:
        """What its discovery does."""
        return observe_closely(self.pack, Limits())


class PackConformance(Conformance):
    """Checks a pack as it is installed: its files, its discovery, and how all that it registers is declared.

    Attributes:
        distribution: what pip calls it.
    """

    distribution: ClassVar[str] = ""

    @classmethod
    def all_cases(cls) -> Mapping[str, Any]:
        """Returns ``cases``, or the distribution as the only one."""
        return cls.cases or {cls.distribution: cls.distribution}

    @classmethod
    def make_subject(cls, case: Any) -> Any:
        """Returns the installed pack."""
        return InstalledPack(case)

    def found(self, findings: Iterable[Finding]) -> None:
        """Fails with the findings that are failures, those of checks that are left out excepted."""
        kept = (
            finding
            for finding in findings
            if not any(fnmatchcase(finding.check, pattern) for pattern in self.switched_off())
        )
        self.judge(list(kept), skip=False)

    def test_files_are_right(self, subject: Any) -> None:
        """Metadata, licence, RECORD, package data, imports: see `essmc_devkit.installation`."""
        self.found(check_files(subject.pack))

    def test_discovery_is_quick_and_without_trace(self, subject: Any) -> None:
        """Hooks, import time, output, side effects, names: see `essmc_devkit.installation`."""
        self.found(check_discovery(subject.pack, subject.seen))

    def test_everything_is_declared_well(self, subject: Any) -> None:
        """Targets, signatures, annotations, docs of all that it registers: see `declared`."""
        short = subject.pack.pack
        chosen = select(subject.seen.registered, short).chosen
        components = [Subject(one.kind, f"{short}/{one.name}") for one in chosen if one.kind not in _NO_COMPONENTS]
        self.found(finding for one in components for check in declared.DECLARED for finding in check(one))


_NO_COMPONENTS = ("zoo", "commands")
