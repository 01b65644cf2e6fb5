"""The packs: whether they are in use, how long their import takes, and what else it imports."""

from __future__ import annotations

from collections.abc import Sequence

from essmc_core.discovery import Pack
from essmc_core.discovery.distributions import installed_packs
from essmc_core.discovery.origin import origin_of
from essmc_core.foundation.error_text import shortened
from essmc_core.installation.doctor.section import Section

SLOW_MS = 1000.0
"""Milliseconds of an import that are worth a note."""


def packs_section(packs: Sequence[Pack]) -> Section:
    """Returns status, time of import and origin of each pack.

    Args:
        packs: as discovered in this process.
    """
    from pathlib import Path

    section = Section("Packs")
    origins = {found.name: origin_of(Path(found.folder)).text for found in installed_packs() if found.folder}
    for pack in packs:
        imports = f", imports {', '.join(pack.heavy)}" if pack.heavy else ""
        origin = origins.get(pack.distribution, pack.source)
        section.facts[pack.distribution] = f"{pack.version}, {pack.status}, {pack.ms:.0f} ms{imports}, {origin}"
        _judge(section, pack)
    if not packs:
        section.note("no packs are installed", "essmc install classifiers video")
    return section


def _judge(section: Section, pack: Pack) -> None:
    name = f"{pack.distribution} {pack.version}"
    if pack.status in ("quarantined", "skipped"):
        section.problem(f"{name} is {pack.status}: {shortened(pack.reason, 500)}", pack.remedy)
    for remark in pack.remarks:
        section.note(f"{name}: {remark}", f"tell its author, or pip install -U {pack.distribution}")
    if pack.heavy:
        fix = f"tell its author: a pack names its code by import strings; ESSMC_BLOCK={pack.name} leaves it out"
        section.note(f"{name} imports {', '.join(pack.heavy)} at every start", fix)
    elif pack.ms > SLOW_MS:
        fix = f"run this again on a quiet machine; ESSMC_BLOCK={pack.name} leaves it out"
        section.note(f"{name} takes {pack.ms / 1e3:.1f} s to import, at every start", fix)
