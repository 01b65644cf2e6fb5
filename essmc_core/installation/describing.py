"""Describes an installed pack for an index, from what it registers and what its metadata states; imports no torch."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from essmc_core.discovery import Discovery, Pack
from essmc_core.discovery.commands import Command
from essmc_core.discovery.distributions import installed_packs
from essmc_core.errors import ConfigError
from essmc_core.foundation.names import normalise_distribution
from essmc_core.foundation.version import __version__
from essmc_core.index.schema import (
    CommandFacts,
    ComponentFacts,
    EntryFacts,
    FamilyFacts,
    LicenceFacts,
    PackFacts,
    ResultFacts,
)
from essmc_core.installation.brought import Brought, brought_by_pack
from essmc_core.installation.stated import Stated, stated_by
from essmc_core.registry.component import CORE, Component
from essmc_core.registry.kinds import Registries
from essmc_core.registry.registry import Registry
from essmc_core.zoo.zoo import ZooEntry

if TYPE_CHECKING:
    from essmc_core.signatures.signature import Parameter, Signature

LEAST_OF_A_FAMILY = 20
"""So many names with the pack's prefix that one target serves are described together."""
UNKNOWN = "unknown"
_LONGEST_SIGNATURE = 240
_LONGEST_DEFAULT = 24


def raise_broken(error: ConfigError) -> None:
    """Raises what is wrong with a zoo entry."""
    raise error


def describe(
    pack: Pack,
    brought: Brought,
    registries: Registries,
    info: Path | None,
    *,
    signatures: bool = True,
    entries: bool = True,
    families: bool = True,
    on_broken: Callable[[ConfigError], None] = raise_broken,
) -> PackFacts:
    """Returns what a pack brings.

    Args:
        pack: a pack that is in use.
        brought: what it registered.
        registries: where it registered components.
        info: its ``.dist-info``; None: only what it registered is described.
        signatures: whether signatures are read, which takes a hundredth of a second each.
        entries: whether zoo entries are read; otherwise their names alone are told.
        families: whether many names of one target or template are described together.
        on_broken: called with the error of each zoo entry that cannot be read, which is left out.

    Raises:
        EssmcError: a signature or a zoo entry cannot be read.
    """
    stated = Stated() if info is None else stated_by(info)
    least = LEAST_OF_A_FAMILY if families else sys.maxsize
    components: dict[str, tuple[ComponentFacts, ...]] = {}
    together: dict[str, tuple[FamilyFacts, ...]] = {}
    is_foreign = False
    for kind, own in brought.components.items():
        registry = registries[kind]
        is_foreign = is_foreign or any(_is_foreign(record, pack) for record in own)
        single, many = _apart(own, least)
        if single:
            facts = [_component(registry, record, signatures) for record in single]
            components[kind] = tuple(sorted(facts, key=lambda found: found.name))
        if many:
            together[kind] = tuple(_family(registry, records, signatures) for records in many)
    single_entries, many_entries = _entries_apart(brought.entries, least)
    zoo_families = tuple(_family_of_entries(pack.name, found, on_broken, entries) for found in many_entries)
    depends = bool(together or zoo_families or is_foreign)
    return PackFacts(
        distribution=pack.distribution,
        name=pack.name,
        version=pack.version,
        summary=stated.summary,
        core=stated.core,
        python=stated.python,
        licence=stated.licence,
        lifecycle=stated.lifecycle,
        requires=stated.requires,
        described_with=_versions(stated.requires) if depends else {},
        components=components,
        families=together,
        zoo=tuple(sorted(_described(single_entries, on_broken, entries), key=lambda found: found.name)),
        zoo_families=zoo_families,
        commands=tuple(sorted(map(_command, brought.commands), key=lambda found: found.name)),
    )


def describe_here(discovery: Discovery, *, signatures: bool = False) -> list[PackFacts]:
    """Returns what essmc-core and the packs of this process bring; entries that cannot be read are left out."""
    packs = [pack for pack in discovery.packs.values() if pack.status == "ok"]
    own = Pack(CORE, "essmc-core", __version__)
    folders = {found.name: Path(found.folder) for found in installed_packs() if found.folder}
    brought = brought_by_pack(discovery)
    return [
        describe(
            pack,
            brought[pack.name],
            discovery.registries,
            folders.get(pack.distribution),
            signatures=signatures,
            families=False,
            on_broken=lambda _: None,
        )
        for pack in (own, *packs)
    ]


def _is_foreign(record: Component, pack: Pack) -> bool:
    """Returns whether a component's code is of another library, whose version decides whether it is there."""
    own = {value.partition(":")[0].partition(".")[0] for value in pack.entry_points}
    return isinstance(record.target, str) and record.target.partition(":")[0].partition(".")[0] not in own


def _apart(records: Iterable[Component], least: int) -> tuple[list[Component], list[list[Component]]]:
    """Returns components to be described one by one, and those that one target serves in great number."""
    by_target: dict[str, list[Component]] = {}
    for record in records:
        by_target.setdefault("" if record.bare else repr(record.target), []).append(record)
    single: list[Component] = by_target.pop("", [])
    together = []
    for target in sorted(by_target):
        found = by_target[target]
        if len(found) >= least:
            together.append(found)
        else:
            single += found
    return single, together


def _component(registry: Registry, record: Component, signatures: bool) -> ComponentFacts:
    return ComponentFacts(
        name=record.name if record.bare else record.qualified,
        summary=record.summary,
        signature=_signature(registry, record) if signatures else "",
        aliases=tuple(sorted((*record.aliases, *record.deprecated))),
        lifecycle=record.lifecycle,
    )


def _family(registry: Registry, records: Sequence[Component], signatures: bool) -> FamilyFacts:
    first = min(records, key=lambda record: record.name)
    summaries = {record.summary for record in records}
    return FamilyFacts(
        pattern=f"{first.pack}/*",
        count=len(records),
        names=tuple(sorted(record.name for record in records)),
        summary=first.summary if len(summaries) == 1 else "",
        signature=_signature(registry, first) if signatures else "",
    )


def _signature(registry: Registry, record: Component) -> str:
    signature: Signature = registry.describe(record.qualified).without(record.bound)
    parts = [_parameter(parameter) for parameter in signature.parameters]
    return shortened_signature([*parts, *(["**kwargs"] if signature.takes_any else [])])


def _parameter(parameter: Parameter) -> str:
    if parameter.required:
        return parameter.name
    default = str(parameter.default)
    return f"{parameter.name}={default if len(default) <= _LONGEST_DEFAULT else '…'}"


def shortened_signature(parts: Sequence[str]) -> str:
    """Returns parameters in parentheses, the last ones left out where they are many."""
    shown: list[str] = []
    for part in parts:
        if sum(len(text) + 2 for text in (*shown, part)) > _LONGEST_SIGNATURE:
            return f"({', '.join([*shown, '…'])})"
        shown.append(part)
    return f"({', '.join(shown)})"


def _entries_apart(entries: Iterable[ZooEntry], least: int) -> tuple[list[ZooEntry], list[list[ZooEntry]]]:
    """Returns entries to be described one by one, and those that one template makes in great number."""
    by_maker: dict[str, list[ZooEntry]] = {}
    for entry in entries:
        by_maker.setdefault(entry.source.maker, []).append(entry)
    single: list[ZooEntry] = []
    many = []
    for maker in sorted(by_maker):
        if len(by_maker[maker]) < least:
            single += by_maker[maker]
        else:
            many.append(by_maker[maker])
    return single, many


def _family_of_entries(
    pack: str, entries: Sequence[ZooEntry], on_broken: Callable[[ConfigError], None], read: bool
) -> FamilyFacts:
    facts = list(_described(entries, on_broken, read))
    licences = Counter(found.licence.weights or UNKNOWN for found in facts if found.weights)
    modalities = {found.modality for found in facts}
    return FamilyFacts(
        pattern=f"{pack}/*",
        count=len(entries),
        names=tuple(sorted(entry.name for entry in entries)),
        modality=modalities.pop() if len(modalities) == 1 else "",
        licences=dict(sorted(licences.items())),
    )


def _described(
    entries: Iterable[ZooEntry], on_broken: Callable[[ConfigError], None], read: bool
) -> Iterator[EntryFacts]:
    for entry in entries:
        try:
            yield _entry(entry) if read else EntryFacts(name=_shown_name(entry))
        except ConfigError as error:
            on_broken(error)


def _entry(entry: ZooEntry) -> EntryFacts:
    licence = entry.licence
    return EntryFacts(
        name=_shown_name(entry),
        summary=entry.summary,
        modality=entry.modality,
        params=entry.params,
        macs=entry.macs,
        weights=entry.pretrained,
        results=tuple(map(_result, entry.results)),
        licence=LicenceFacts(code=licence.code or "", weights=licence.weights or ""),
        aliases=tuple(sorted({*entry.listed_aliases, *entry.aliases, *entry.deprecated})),
    )


def _shown_name(entry: ZooEntry) -> str:
    return entry.name if entry.bare else entry.qualified


def _result(result: Mapping[str, object]) -> ResultFacts:
    value = result.get("value")
    return ResultFacts(
        dataset=str(result.get("dataset", "")),
        metric=str(result.get("metric", "")),
        value=float(value) if isinstance(value, (int, float)) else None,
    )


def _command(command: Command) -> CommandFacts:
    return CommandFacts(name=command.name, help=command.help)


def _versions(requirements: Iterable[str]) -> dict[str, str]:
    """Returns the installed versions of libraries that a pack requires, other packs aside."""
    from packaging.requirements import Requirement

    found = {}
    for name in sorted({normalise_distribution(Requirement(line).name) for line in requirements}):
        if not name.startswith("essmc-"):
            try:
                # What follows a plus sign names a build, not another release.
                found[name] = metadata.version(name).partition("+")[0]
            except metadata.PackageNotFoundError:
                continue
    return found
