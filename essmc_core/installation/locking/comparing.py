"""How the distributions of a lock differ from what is installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from packaging.version import InvalidVersion, Version

from essmc_core.installation.locking.closure import installed_version
from essmc_core.installation.locking.lock_file import Locked

Status = Literal["same", "not installed", "another version", "another commit"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One distribution of a lock, and what is here.

    Attributes:
        name: of the distribution.
        locked: its version or commit in the lock.
        here: that which is installed, empty if it is not.
        status: how they compare.
    """

    name: str
    locked: str
    here: str
    status: Status


def compare(locked: Sequence[Locked]) -> list[Compared]:
    """Compares a lock with this environment, in the order of the lock."""
    return [_compare(one) for one in locked]


def _compare(one: Locked) -> Compared:
    here = installed_version(one.name)
    if here is None:
        return Compared(one.name, one.commit or one.version, "", "not installed")
    if one.commit:
        same_commit = here.origin.commit == one.commit
        found = here.origin.commit or here.version
        return Compared(one.name, one.commit, found, "same" if same_commit else "another commit")
    same = not one.version or _equal(one.version, here.version)
    return Compared(one.name, one.version, here.version, "same" if same else "another version")


def _equal(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other
