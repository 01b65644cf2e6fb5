"""The zoo entries that cannot be used."""

from __future__ import annotations

from essmc_core.foundation.error_text import brief, shortened
from essmc_core.installation.doctor.section import Section
from essmc_core.zoo.zoo import Zoo, ZooEntry


def zoo_section(zoo: Zoo) -> Section:
    """Returns how many entries there are, after reading each one."""
    section = Section("Zoo")
    entries = list(zoo.table)
    broken = [(entry, error) for entry in entries if (error := _mistake(entry)) is not None]
    section.facts["entries"] = f"{len(entries):,}, {len(broken)} of them broken"
    for entry, error in broken:
        section.problem(f"{entry.qualified} cannot be read: {shortened(brief(error), 500)}", _fix(entry))
    return section


def _mistake(entry: ZooEntry) -> Exception | None:
    try:
        _ = entry.facts, entry.datasets
    # The values of a file may have any type.
    except Exception as error:
        return error
    return None


def _fix(entry: ZooEntry) -> str:
    return f"mend {entry.where}, or upgrade the pack {entry.pack}"
