"""The libraries that essmc-core and the packs require: installed, and in a version that is admitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import TYPE_CHECKING

from essmc_core.discovery import Pack
from essmc_core.foundation.names import normalise_distribution
from essmc_core.installation.doctor.section import Section

if TYPE_CHECKING:
    from packaging.requirements import Requirement


def libraries_section(packs: Iterable[Pack]) -> Section:
    """Returns the installed version of each required library.

    Args:
        packs: whose requirements are read, besides those of essmc-core.
    """
    section = Section("Libraries")
    for name, wanted in sorted(_requirements(["essmc-core", *(pack.distribution for pack in packs)]).items()):
        version = _version(name)
        section.facts[name] = version or "not installed"
        for by, requirement in wanted.items():
            if version and requirement.specifier.contains(version, prereleases=True):
                continue
            there = f"{version} is installed" if version else "it is not installed"
            needed = f"{name}{requirement.specifier}"
            section.problem(f"{by} needs {needed}, and {there}", f"pip install '{needed}'")
    return section


def _requirements(distributions: Iterable[str]) -> Mapping[str, Mapping[str, Requirement]]:
    """Returns, per library, what each distribution asks of it; extras are left out."""
    from packaging.requirements import InvalidRequirement, Requirement

    found: dict[str, dict[str, Requirement]] = {}
    for distribution in distributions:
        try:
            lines = metadata.requires(distribution) or []
        except metadata.PackageNotFoundError:
            continue
        for line in lines:
            try:
                requirement = Requirement(line)
            except InvalidRequirement:
                continue
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                name = normalise_distribution(requirement.name)
                found.setdefault(name, {})[distribution] = requirement
    return found


def _version(name: str) -> str:
    """Returns an installed version, empty if there is none; torch's local part (``+cpu``) is kept."""
    try:
        return metadata.version(name) or ""
    except metadata.PackageNotFoundError:
        return ""
