"""Finds a pack by its short name or its distribution."""

from __future__ import annotations

from collections.abc import Iterable

from essmc_core.discovery.pack import Pack
from essmc_core.errors import UnknownPack
from essmc_core.foundation.names import did_you_mean, normalise_distribution, pack_name
from essmc_core.index.known import known_packs
from essmc_core.registry.component import LOCAL

CORE_NAME = "core"


def named_pack(name: str, packs: Iterable[Pack]) -> str:
    """Returns the short name of an installed pack, ``video`` for ``video`` and ``essmc-video`` alike.

    Args:
        name: what the user wrote.
        packs: every pack that was found.

    Raises:
        UnknownPack: there is none; the message suggests names, or states what to install.
    """
    short = pack_name(name)
    known = {pack.name for pack in packs} | {CORE_NAME, LOCAL}
    if short in known:
        return short
    suggestion = did_you_mean(short, known)
    absent = known_packs().named(short) or known_packs().named(normalise_distribution(name))
    if absent is not None:
        hint = f"pip install {absent.distribution}"
    else:
        hint = f"installed: {', '.join(sorted(known - {LOCAL}))}"
    raise UnknownPack(f"no pack is called {name!r}" + (f"; {suggestion}" if suggestion else ""), hint=hint)
