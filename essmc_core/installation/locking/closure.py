"""The installed distributions that some of them need, all the way down."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from essmc_core.discovery.origin import Origin, origin_of
from essmc_core.foundation.names import normalise_distribution
from essmc_core.installation.locking.errors import LockError


@dataclass(frozen=True, slots=True)
class Needed:
    """One installed distribution.

    Attributes:
        name: its normalised name.
        version: its version.
        origin: where it came from.
    """

    name: str
    version: str
    origin: Origin


def needed_distributions(names: Collection[str]) -> list[Needed]:
    """Returns distributions and all that they require here, by name; markers and extras are those of this environment.

    Args:
        names: distributions.

    Raises:
        LockError: one of them, or what it requires, is not installed.
    """
    found: dict[str, Needed] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(name, "", "") for name in sorted(names)]
    while waiting:
        name, extra, wanted_by = waiting.pop()
        own = normalise_distribution(name)
        if (own, extra) in seen:
            continue
        seen.add((own, extra))
        installed = _installed(own, wanted_by)
        if own not in found:
            found[own] = _described(own, installed)
        for requirement in _required(installed, extra):
            waiting += [(requirement.name, asked, own) for asked in ("", *sorted(requirement.extras))]
    return [found[name] for name in sorted(found)]


def installed_version(name: str) -> Needed | None:
    """Returns an installed distribution, None if there is none of that name."""
    try:
        installed = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    return _described(normalise_distribution(name), installed)


def _installed(name: str, wanted_by: str) -> metadata.Distribution:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        told = f", which {wanted_by} requires," if wanted_by else ""
        raise LockError(f"{name}{told} is not installed", hint=f"pip install {name}, then lock again") from error


def _described(name: str, installed: metadata.Distribution) -> Needed:
    # There is no public attribute for the folder of its metadata.
    return Needed(name, installed.version, origin_of(Path(str(getattr(installed, "_path", "")))))


def _required(installed: metadata.Distribution, extra: str) -> Iterator[Requirement]:
    for line in installed.requires or ():
        try:
            requirement = Requirement(line)
        # Old distributions have requirements that no tool reads today; pip passes over them too.
        except InvalidRequirement:
            continue
        if requirement.marker is None:
            if not extra:
                yield requirement
        # Without an extra, all that holds anyway; with one, what holds only with it.
        elif requirement.marker.evaluate({"extra": extra}) and (not extra or "extra" in str(requirement.marker)):
            yield requirement
