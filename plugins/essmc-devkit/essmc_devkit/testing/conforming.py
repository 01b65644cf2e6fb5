"""What the classes to inherit share: cases, switched-off checks, and how a finding becomes a failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, ClassVar

import pytest

from essmc_devkit.components.check import Check
from essmc_devkit.finding import Finding


class Conformance:
    """Runs checks as test methods; a subclass says what is checked, in ``cases``.

    Attributes:
        cases: what is checked, by the name that tests show; the values are what `make_subject` takes.
        without: checks that are left out, by name or pattern, with the reason: ``{"exporting.onnx": "no operator"}``.
        warnings_fail: whether a warning fails a test too.
    """

    cases: ClassVar[Mapping[str, Any]] = {}
    without: ClassVar[Mapping[str, str]] = {}
    warnings_fail: ClassVar[bool] = False

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Runs each test for each case; a subject is made once for all tests of its class."""
        if "subject" in metafunc.fixturenames:
            cases = self.all_cases()
            metafunc.parametrize("subject", list(cases.values()), ids=list(cases), indirect=True, scope="class")

    @classmethod
    def all_cases(cls) -> Mapping[str, Any]:
        """Returns what is checked, by name."""
        return cls.cases

    @classmethod
    def make_subject(cls, case: Any) -> Any:
        """Returns the subject of a case."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls, request: pytest.FixtureRequest) -> Any:
        """What is checked, built once for all tests of a class."""
        return cls.make_subject(request.param)

    def conforms(self, check: Check[Any], subject: Any) -> None:
        """Makes a check; fails with what it found, or skips with the reason."""
        for pattern, reason in self.switched_off().items():
            if fnmatchcase(check.name, pattern):
                pytest.skip(reason)
        self.judge(check(subject))

    def judge(self, findings: Sequence[Finding], skip: bool = True) -> None:
        """Fails with what was found.

        Args:
            findings: of one check, or of several.
            skip: whether a check that could not be made skips the test.
        """
        bad = ("failed", "warning") if self.warnings_fail else ("failed",)
        failures = [_told(finding) for finding in findings if finding.status in bad]
        if failures:
            pytest.fail("\n".join(failures), pytrace=False)
        skipped = [finding for finding in findings if finding.status == "skipped"]
        if skip and skipped:
            pytest.skip(skipped[0].message)

    @classmethod
    def switched_off(cls) -> Mapping[str, str]:
        """Returns the checks that are left out, with reasons."""
        return cls.without


def flagged(flags: Mapping[str, bool | str]) -> dict[str, str]:
    """Returns the checks that capability flags switch off.

    Args:
        flags: pattern of checks → True; or False, or the reason why not.
    """
    return {
        pattern: value if isinstance(value, str) else "this class says that it cannot"
        for pattern, value in flags.items()
        if value is not True
    }


def _told(finding: Finding) -> str:
    fix = f"\n  {finding.fix}" if finding.fix else ""
    return f"{finding.subject}: {finding.message} [{finding.check}]{fix}"
