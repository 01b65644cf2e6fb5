"""The indexes in which packs are looked for."""

from __future__ import annotations

import os

from essmc_core.index.known import known_packs
from essmc_core.index.places import further_places
from essmc_core.installation.doctor.section import Section


def indexes_section() -> Section:
    """Returns how many packs are known, and which indexes of ``ESSMC_INDEX`` cannot be read."""
    section = Section("Indexes")
    known = known_packs()
    section.facts["known packs"] = str(len(known.packs))
    for place in further_places(os.environ.get("ESSMC_INDEX", "")):
        section.facts[place.shown] = "pinned by sha256" if place.sha256 else "as it is"
    for remark in known.remarks:
        section.note(remark, "change ESSMC_INDEX; nothing else depends on it")
    return section
