"""Which components of a large family are checked: those of one target differ in their arguments alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from essmc_devkit.finding import Finding
from essmc_devkit.installation.observation import Named

FAMILY = 12
"""From how many members on a few stand for all."""
_SAMPLE = 3


@dataclass(frozen=True)
class Selection:
    """What is checked of what a pack registers.

    Attributes:
        chosen: checked one by one.
        notes: a finding for each family that is not checked whole.
    """

    chosen: tuple[Named, ...]
    notes: tuple[Finding, ...]


def select(registered: Sequence[Named], pack: str, whole: bool = False) -> Selection:
    """Returns what is checked.

    Args:
        registered: all that the pack registers.
        pack: its short name.
        whole: every member of every family.
    """
    families: dict[tuple[str, str], list[Named]] = {}
    for one in registered:
        families.setdefault((one.kind, _family(one)), []).append(one)
    chosen: list[Named] = []
    notes = []
    for (kind, _), members in families.items():
        if whole or len(members) < FAMILY:
            chosen += members
            continue
        step = (len(members) - 1) / (_SAMPLE - 1)
        sample = [members[round(step * number)] for number in range(_SAMPLE)]
        chosen += sample
        names = ", ".join(one.name for one in sample)
        message = f"{len(members):,} of them are one family; {names} stand for all"
        notes.append(Finding("check.sample", f"{kind} of {pack}", "skipped", message, "`--whole` checks each of them"))
    order = {one: number for number, one in enumerate(registered)}
    return Selection(tuple(sorted(chosen, key=lambda one: order[one])), tuple(notes))


def _family(one: Named) -> str:
    # Files of entries, and commands, are each written by hand.
    return one.name if one.kind == "commands" or one.target.endswith((".yaml", ".yml")) else one.target
