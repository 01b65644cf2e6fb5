"""What the metadata of a distribution states, as far as an index tells it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from essmc_core.registry.component import Lifecycle

_STATUS = re.compile(r"Development Status :: (\d)")
_CORE = re.compile(r"essmc[-_.]+core(?![\w.-])\s*(.*)", re.IGNORECASE)
_CLASSIFIED = {
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_LONGEST_LICENCE = 60


@dataclass(frozen=True, slots=True)
class Stated:
    """What metadata states; fields as of `essmc_core.index.schema.PackFacts`."""

    summary: str = ""
    core: str = ""
    python: str = ""
    licence: str = ""
    lifecycle: Lifecycle = ""
    requires: tuple[str, ...] = ()


def stated_by(info: Path) -> Stated:
    """Returns what a distribution states.

    Args:
        info: its ``.dist-info``.
    """
    found = metadata.Distribution.at(info)
    headers = found.metadata
    required = found.requires or []
    others = [line for line in required if _CORE.match(line) is None and "extra ==" not in line]
    core = next((match[1] for line in required if (match := _CORE.match(line)) is not None), "")
    classifiers = headers.get_all("Classifier") or []
    return Stated(
        summary=" ".join(str(headers["Summary"] or "").split()),
        core=core.partition(";")[0].strip(),
        python=str(headers["Requires-Python"] or ""),
        licence=_licence(str(headers["License-Expression"] or ""), str(headers["License"] or ""), classifiers),
        lifecycle=_lifecycle(str(headers["Version"] or ""), classifiers),
        requires=tuple(sorted(others)),
    )


def _licence(expression: str, text: str, classifiers: list[str]) -> str:
    if expression:
        return expression
    named = {line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: ")}
    known = sorted({_CLASSIFIED[name] for name in named if name in _CLASSIFIED})
    if known:
        return " AND ".join(known)
    return text if text and len(text) <= _LONGEST_LICENCE and "\n" not in text else "unknown"


def _lifecycle(version: str, classifiers: list[str]) -> Lifecycle:
    """Returns what the development status says; without one, versions before 1 are experimental."""
    for line in classifiers:
        if status := _STATUS.match(line):
            number = int(status[1])
            return "experimental" if number < 5 else "stable" if number < 7 else "deprecated"
    return "experimental" if version.startswith("0") else "stable"
