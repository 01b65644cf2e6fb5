"""Checks from metadata, before a pack is imported, whether it accepts the installed core."""

from __future__ import annotations

import functools
import re

from essmc_core.errors import EssmcError

_NAME = re.compile(r"essmc[-_.]+core(?![\w.-])[ \t]*", re.IGNORECASE)
_PLAIN_CLAUSE = re.compile(r"(>=|<=|<|>)\s*(\d+(?:\.\d+)*)")
_PLAIN_VERSION = re.compile(r"\d+(?:\.\d+)*")


class IncompatibleCore(EssmcError, ImportError):
    """A pack that requires another version of essmc-core than the one installed."""


@functools.lru_cache(maxsize=256)
def accepts(requirement: str, version: str) -> bool:
    """Returns whether a requirement such as ``essmc-core>=0.1,<1`` admits a version.

    Args:
        requirement: as written in ``Requires-Dist``; empty admits everything.
        version: a version of essmc-core.
    """
    if not requirement:
        return True
    clauses = _NAME.sub("", requirement, count=1).strip("() ").split(",")
    matches = [_PLAIN_CLAUSE.fullmatch(clause.strip()) for clause in clauses if clause.strip()]
    plain = [match for match in matches if match is not None]
    if len(plain) == len(matches) and _PLAIN_VERSION.fullmatch(version):
        return all(_meets(_release(version), match[1], _release(match[2])) for match in plain)
    return _accepts_by_packaging(requirement, version)


def _accepts_by_packaging(requirement: str, version: str) -> bool:
    # It takes 30 ms to import, so it is used only for requirements that are not plain comparisons.
    from packaging.requirements import Requirement

    parsed = Requirement(requirement)
    if parsed.marker is not None and not parsed.marker.evaluate({"extra": ""}):
        return True
    return parsed.specifier.contains(version, prereleases=True)


def _release(version: str) -> tuple[int, ...]:
    parts = [int(part) for part in version.split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _meets(version: tuple[int, ...], operator: str, bound: tuple[int, ...]) -> bool:
    if operator == ">=":
        return version >= bound
    if operator == "<=":
        return version <= bound
    return version < bound if operator == "<" else version > bound


def require_compatible(distribution: str, requirement: str, version: str) -> None:
    """Raises if a pack's requirement excludes this core.

    Raises:
        IncompatibleCore: the requirement does not admit the version.
    """
    if accepts(requirement, version):
        return
    raise IncompatibleCore(
        f"{distribution} needs {requirement}, and essmc-core {version} is installed",
        hint=f"pip install -U {distribution} (a release for this core), or pip install '{requirement}'",
    )
