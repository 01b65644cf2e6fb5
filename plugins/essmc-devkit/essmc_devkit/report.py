"""How findings are shown: a line for each check that is not in order, with what to do, and a count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import click

from essmc_devkit.finding import Finding

_COLOURS = {"ok": "green", "failed": "red", "warning": "yellow", "skipped": "bright_black"}
_WIDTH = 9


def lines(findings: Sequence[Finding], everything: bool = False) -> Iterator[str]:
    """Yields the report.

    Args:
        findings: in the order in which they were made.
        everything: whether checks that are in order get a line for each subject, instead of one for all.
    """
    passed: dict[str, list[str]] = {}
    for finding in findings:
        if finding.status == "ok":
            passed.setdefault(finding.check, []).append(finding.subject)
    told: set[str] = set()
    for finding in findings:
        if finding.status != "ok" or everything:
            yield _line(finding.status, finding.check, finding.subject, finding.message, finding.fix)
        elif finding.check not in told:
            told.add(finding.check)
            subjects = passed[finding.check]
            yield _line("ok", finding.check, subjects[0] if len(subjects) == 1 else f"{len(subjects)} subjects")


def _line(status: str, check: str, subject: str, message: str = "", fix: str = "") -> str:
    marked = click.style(f"{status:{_WIDTH}}", fg=_COLOURS[status], bold=status == "failed")
    text = f"{marked}{check:28} {subject}"
    text += f": {message}" if message else ""
    return text + (click.style(f" → {fix}", fg="cyan") if fix else "")


def summary(findings: Sequence[Finding]) -> str:
    """Returns how many findings there are of each status."""
    counts = Counter(finding.status for finding in findings)
    parts = [f"{counts[status]} {status}" for status in ("failed", "warning", "skipped", "ok") if counts[status]]
    return f"{len(findings)} findings: {', '.join(parts)}"
