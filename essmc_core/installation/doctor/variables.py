"""The ``ESSMC_`` variables that are set, those with invalid values, and those that nothing reads."""

from __future__ import annotations

import os
from collections.abc import Iterable

from essmc_core.errors import EssmcError
from essmc_core.foundation.names import nearest
from essmc_core.foundation.settings import KNOWN
from essmc_core.installation.doctor.section import Section


def variables_section(complaints: Iterable[EssmcError]) -> Section:
    """Returns the known variables with their values; of unknown ones the names alone, since they may hold secrets.

    Args:
        complaints: errors of values, as discovery found them.
    """
    section = Section("Variables")
    for name in sorted(name for name in os.environ if name.startswith("ESSMC_")):
        if name in KNOWN:
            section.facts[name] = os.environ[name] or "(empty)"
            continue
        section.facts[name] = "(not read by essmc)"
        near = nearest(name, KNOWN, count=1)
        if near:
            section.problem(f"{name} is not understood", f"did you mean {near[0]}? unset {name}")
        else:
            section.note(f"nothing reads {name}", f"unset {name} if no pack needs it")
    for complaint in complaints:
        section.problem(complaint.message, complaint.hint or "change or unset it")
    if not section.facts:
        section.facts["set"] = "none"
    return section
