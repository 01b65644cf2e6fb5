"""All sections of `essmc doctor`, without anything that should not be shown to others."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from essmc_core.discovery import Discovery
from essmc_core.foundation.error_text import brief
from essmc_core.installation.doctor.accelerators import torch_section
from essmc_core.installation.doctor.cache import cache_section
from essmc_core.installation.doctor.indexes import indexes_section
from essmc_core.installation.doctor.libraries import libraries_section
from essmc_core.installation.doctor.names import names_section
from essmc_core.installation.doctor.packs import packs_section
from essmc_core.installation.doctor.python import python_section
from essmc_core.installation.doctor.section import Problem, Section
from essmc_core.installation.doctor.terminal import terminal_section
from essmc_core.installation.doctor.variables import variables_section
from essmc_core.installation.doctor.zoo import zoo_section
from essmc_core.installation.redaction import redacted


def diagnose(discovery: Discovery) -> Iterator[Section]:
    """Yields each section as soon as it is known, redacted.

    Args:
        discovery: what was found in this process.
    """
    packs = list(discovery.packs.values())
    subjects: dict[str, Callable[[], Section]] = {
        "Python": python_section,
        "torch and accelerators": torch_section,
        "Libraries": lambda: libraries_section(pack for pack in packs if pack.status != "blocked"),
        "Packs": lambda: packs_section(packs),
        "Names": lambda: names_section(discovery.registries, discovery.zoo, discovery.commands),
        "Zoo": lambda: zoo_section(discovery.zoo),
        "Indexes": indexes_section,
        "Cache": cache_section,
        "Variables": lambda: variables_section(discovery.complaints),
        "Terminal": terminal_section,
    }
    for title, look in subjects.items():
        yield _redacted(_looked(title, look))


def _looked(title: str, look: Callable[[], Section]) -> Section:
    # A report of a damaged installation is needed most where something unforeseen is damaged.
    try:
        return look()
    except Exception as error:
        section = Section(title)
        section.problem(f"it cannot be looked at: {brief(error)}", "report this")
        return section


def _redacted(section: Section) -> Section:
    return Section(
        section.title,
        {redacted(label): redacted(value) for label, value in section.facts.items()},
        [Problem(redacted(problem.message), redacted(problem.fix)) for problem in section.problems],
        [Problem(redacted(note.message), redacted(note.fix)) for note in section.notes],
    )
