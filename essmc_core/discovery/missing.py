"""Explains why a name is missing: a quarantined, blocked or uninstalled pack would provide it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from essmc_core.discovery.pack import Pack, broken_pack
from essmc_core.foundation.error_text import shortened
from essmc_core.foundation.names import matches
from essmc_core.index.known import known_packs
from essmc_core.signatures.source_files import source_text

if TYPE_CHECKING:
    from essmc_core.index.schema import PackFacts
    from essmc_core.registry.kinds import Registries
    from essmc_core.zoo.zoo import Zoo

_MOST_LISTED = 5


def explain_missing(kind: str, name: str, packs: Iterable[Pack]) -> str:
    """Returns the hint for a failed look-up, empty if there is none.

    Args:
        kind: plural name of the registry, ``zoo`` or ``commands``.
        name: what was looked for.
        packs: every pack that was found.

    Raises:
        BrokenPack: a quarantined pack would provide the name; chained to what broke it.
    """
    packs = list(packs)
    broken = [pack for pack in packs if pack.status == "quarantined"]
    blocked = [pack for pack in packs if pack.status == "blocked"]
    known = known_packs()
    bringing = [pack.distribution for pack in known.bringing(kind, name)]
    for pack in broken:
        if pack.distribution in bringing or _would_bring(pack, name):
            raise broken_pack(pack)
    for pack in blocked:
        if pack.distribution in bringing or _would_bring(pack, name):
            return f"{pack.distribution} brings it, and is {pack.reason}"
    there = {pack.distribution for pack in packs}
    absent = [distribution for distribution in bringing if distribution not in there]
    if absent:
        others = f" (or {', '.join(absent[1:])})" if absent[1:] else ""
        return f"{absent[0]} brings it: pip install {absent[0]}{others}"
    if broken:
        listed = "; ".join(f"{pack.distribution} ({shortened(pack.reason, 200)})" for pack in broken[:_MOST_LISTED])
        rest = len(broken) - _MOST_LISTED
        more = f"; and {rest} more, see `essmc packs`" if rest > 0 else ""
        return f"quarantined packs, one of which may bring it: {listed}{more}"
    return f"not looked for everywhere: {'; '.join(known.remarks)}" if known.remarks and not bringing else ""


def explain_other_kind(kind: str, name: str, registries: Registries, zoo: Zoo) -> str:
    """Returns which other kind has a name that was looked up, empty if none has.

    Args:
        kind: as for `explain_missing`.
        name: what was looked for.
        registries: all components.
        zoo: all zoo models.
    """
    for registry in registries:
        if registry.kind == kind or name not in registry.table.all_names():
            continue
        article = "an" if registry.singular[0] in "aeiou" else "a"
        found = f"{name} is {article} {registry.singular.replace('_', ' ')}: `essmc show {name}`"
        return found if kind != "zoo" else f"{found}. {_how_to_build(registry.kind, name)}"
    if kind not in ("zoo", "commands") and name in zoo.table.all_names():
        return f"{name} is a zoo model, which `essmc build {name}` builds; `essmc show {name}` says of what"
    return ""


def _how_to_build(kind: str, name: str) -> str:
    if kind == "models":
        return f"A YAML file with `model: {{type: {name}, …}}` is built, as is a model that `essmc models` lists"
    return "What is built is a whole model: one that `essmc models` lists, or a YAML file with `model:`"


def explain_no_match(kind: str, pattern: str, packs: Iterable[Pack]) -> str:
    """Returns which known distributions provide matching names, empty if they are all installed.

    Args:
        kind: as for `explain_missing`.
        pattern: what the names were to match.
        packs: every pack that was found.
    """
    there = {pack.distribution for pack in packs}
    found = {
        pack.distribution
        for pack in known_packs().packs
        if pack.distribution not in there and _has_a_match(pack, kind, pattern)
    }
    return f"{' and '.join(sorted(found))} would: pip install {' '.join(sorted(found))}" if found else ""


def _has_a_match(pack: PackFacts, kind: str, pattern: str) -> bool:
    if any(matches(name, pattern) for name in pack.names_of(kind)):
        return True
    return any(
        pattern.startswith(family.pattern[:-1]) or any(matches(name, pattern) for name in family.full_names)
        for family in pack.families_of(kind)
    )


def _would_bring(pack: Pack, name: str) -> bool:
    """Guesses from the qualified name, or from the pack's own source, which is read without executing it."""
    if name.startswith(f"{pack.name}/"):
        return True
    bare = name.rpartition("/")[2]
    texts = (source_text(point.partition(":")[0]) for point in pack.entry_points)
    return any(f'"{bare}"' in text or f"'{bare}'" in text for text in texts)
