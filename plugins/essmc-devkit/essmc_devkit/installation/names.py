"""Checks that what a pack is called, and what it registers, is not called so by a known pack."""

from __future__ import annotations

from collections.abc import Iterator

from essmc_core.discovery.commands import OWN_COMMANDS
from essmc_core.index.known import known_packs
from essmc_core.registry.component import RESERVED
from essmc_devkit.installation.check import check
from essmc_devkit.installation.observation import Named, Observation
from essmc_devkit.installation.pack_under_test import PackUnderTest
from essmc_devkit.problem import Problem

_MOST = 5


@check("installation.names")
def names(pack: PackUnderTest, seen: Observation) -> Iterator[Problem]:
    """The pack, its components, entries and commands have names of their own."""
    known = {facts.name: facts.distribution for facts in known_packs().packs}
    owner = known.get(pack.pack, pack.name)
    if owner != pack.name:
        yield Problem(f"both it and {owner} are called {pack.pack!r} in qualified names", "rename the distribution")
    if pack.pack in RESERVED:
        yield Problem(f"{pack.pack!r} in qualified names means the core's own", "rename the distribution")
    clashes = [(one, other) for one in seen.registered if (other := _owner(one)) and other != pack.name]
    for one, other in clashes[:_MOST]:
        yield Problem(
            f"{one.kind}/{one.name} is also {other}'s: with both, {one.name!r} alone is an error",
            "rename it" if one.kind in ("zoo", "commands") else "rename it, or register it with `bare=False`",
        )
    if len(clashes) > _MOST:
        yield Problem(f"{len(clashes) - _MOST} more of its names are taken", "rename them")


def _owner(one: Named) -> str:
    if one.kind == "commands":
        if one.name in OWN_COMMANDS:
            return "essmc-core"
    elif not one.bare:
        return ""
    # Names of families are never bare.
    bringing = (facts.distribution for facts in known_packs().packs if one.name in facts.names_of(one.kind))
    return next(bringing, "")
