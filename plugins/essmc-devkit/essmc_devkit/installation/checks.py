"""Every check of an installed distribution."""

from __future__ import annotations

from collections.abc import Iterator

from essmc_core.errors import EssmcError
from essmc_core.foundation.names import normalise_distribution
from essmc_core.models.defaults import DISCOVERY
from essmc_devkit.finding import Finding


class NoSuchPack(EssmcError, LookupError):
    """What was to be checked is no installed pack."""


def check_installed(distribution: str) -> Iterator[Finding]:
    """Checks a pack as it is installed in this environment.

    Args:
        distribution: what pip calls it.

    Raises:
        NoSuchPack: no pack of that name is installed.
    """
    pack = DISCOVERY.packs.get(normalise_distribution(distribution))
    if pack is None:
        raise NoSuchPack(f"no pack called {distribution!r} is installed", hint="`essmc packs` lists those that are")
    if pack.status == "ok":
        yield Finding("installation.discovery", pack.distribution, "ok")
    else:
        yield Finding("installation.discovery", pack.distribution, "failed", pack.reason, pack.remedy)
