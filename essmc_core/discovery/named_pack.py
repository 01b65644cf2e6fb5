"""Finds a pack by its short name or its distribution."""

from __future__ import annotations

from collections.abc import Iterable

from essmc_core.discovery.missing import known_components
from essmc_core.discovery.pack import Pack
from essmc_core.errors import UnknownPack
from essmc_core.foundation.names import did_you_mean, normalise_distribution, pack_name
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
    distribution = f"essmc-{short}"
    ours = {str(brought) for names in known_components().values() for brought in names.values()}
    if distribution in ours:
        hint = f"pip install {distribution}"
    elif normalise_distribution(name) in ours:
        hint = f"pip install {normalise_distribution(name)}"
    else:
        hint = f"installed: {', '.join(sorted(known - {LOCAL}))}"
    raise UnknownPack(f"no pack is called {name!r}" + (f"; {suggestion}" if suggestion else ""), hint=hint)
