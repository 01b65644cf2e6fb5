"""What is installed at one time, seen by a fresh process, and what changed from one time to another."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essmc_core.discovery.distributions import installed_packs
from essmc_core.discovery.trouble import fingerprint
from essmc_core.errors import EssmcError
from essmc_core.foundation.error_text import brief
from essmc_core.index.schema import PackFacts
from essmc_core.installation.children import ask_child
from essmc_core.registry.nametable import NameTable


@dataclass(frozen=True, slots=True)
class InstalledPack:
    """One pack.

    Attributes:
        facts: what it brings; nothing but its name and version if it is not in use.
        trouble: why it is not in use, empty if it is.
    """

    facts: PackFacts
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """All packs.

    Attributes:
        packs: by distribution.
        conflicts: names that several packs offer, ``kind/name``, each with the qualified ones.
    """

    packs: Mapping[str, InstalledPack]
    conflicts: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different after an installation.

    Attributes:
        arrived: packs that were not there.
        gone: packs that are no longer there.
        replaced: packs that are there in another form, before and after.
        conflicts: names that several packs offer now, and did not before.
    """

    arrived: tuple[InstalledPack, ...]
    gone: tuple[InstalledPack, ...]
    replaced: tuple[tuple[InstalledPack, InstalledPack], ...]
    conflicts: Mapping[str, tuple[str, ...]]


def states() -> dict[str, str]:
    """Returns, per installed pack, what changes when it is installed anew."""
    return {found.name: fingerprint(found) for found in installed_packs()}


def take_inventory(in_full: Collection[str] = ()) -> Inventory:
    """Returns what a fresh process finds, whatever ``ESSMC_`` variables are set.

    Args:
        in_full: distributions whose zoo entries are read; of the others the names are known.

    Raises:
        ChildFailed: that process ended.
    """
    answer = ask_child(f"{__name__}:inventory", *in_full)
    packs = {
        name: InstalledPack(PackFacts.model_validate(found["facts"]), found["trouble"])
        for name, found in answer["packs"].items()
    }
    return Inventory(packs, {name: tuple(offers) for name, offers in answer["conflicts"].items()})


def inventory(*in_full: str) -> dict[str, Any]:
    """Returns the packs of this process as plain data, some in full; runs in a separate process."""
    from essmc_core.installation.brought import brought_by_pack
    from essmc_core.installation.describing import describe
    from essmc_core.models.defaults import DISCOVERY

    folders = {found.name: found.folder for found in installed_packs()}
    packs = {}
    brought = brought_by_pack(DISCOVERY)
    for name, pack in DISCOVERY.packs.items():
        facts, trouble = PackFacts(distribution=name, name=pack.name, version=pack.version), pack.reason
        if pack.status == "ok":
            try:
                info = Path(folders[name]) if folders.get(name) else None
                entries = name in in_full
                own = brought[pack.name]
                facts = describe(
                    pack,
                    own,
                    DISCOVERY.registries,
                    info,
                    signatures=False,
                    entries=entries,
                    on_broken=lambda _: None,
                )
            except EssmcError as error:
                trouble = brief(error)
        packs[name] = {"facts": facts.model_dump(mode="json", exclude_defaults=True), "trouble": trouble}
    tables: list[NameTable[Any]] = [
        *(registry.table for registry in DISCOVERY.registries),
        DISCOVERY.zoo.table,
        DISCOVERY.commands,
    ]
    conflicts = {
        f"{table.kind}/{name}": sorted(record.qualified for record in offered)
        for table in tables
        for name, offered in table.offered_by_several().items()
    }
    return {"packs": packs, "conflicts": conflicts}


def compare(before: Inventory, after: Inventory) -> Changes:
    """Returns what is different between two inventories."""
    there, then = after.packs, before.packs
    return Changes(
        arrived=tuple(there[name] for name in sorted(set(there) - set(then))),
        gone=tuple(then[name] for name in sorted(set(then) - set(there))),
        replaced=tuple((then[n], there[n]) for n in sorted(set(then) & set(there)) if _key(then[n]) != _key(there[n])),
        conflicts={name: offers for name, offers in after.conflicts.items() if before.conflicts.get(name) != offers},
    )


def _key(pack: InstalledPack) -> object:
    """Returns what is told of a pack whether its entries were read or not."""
    facts = pack.facts
    plain = facts.model_dump(mode="json", exclude={"zoo", "described_with"}, exclude_defaults=True)
    return plain, [entry.name for entry in facts.zoo], pack.trouble
