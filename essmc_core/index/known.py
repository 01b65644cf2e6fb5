"""The packs that are known, installed or not: of the index that comes with the core, and of ``ESSMC_INDEX``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from essmc_core.errors import EssmcError

if TYPE_CHECKING:
    from essmc_core.index.schema import PackFacts


@dataclass(frozen=True, slots=True)
class KnownPacks:
    """What all indexes tell together.

    Attributes:
        packs: one for each distribution, in the order of their names.
        remarks: indexes that could not be read, or have changed; one line each.
    """

    packs: tuple[PackFacts, ...]
    remarks: tuple[str, ...] = ()

    def bringing(self, kind: str, name: str) -> list[PackFacts]:
        """Returns the packs that have a name of a kind of component, of ``zoo`` or of ``commands``."""
        return [pack for pack in self.packs if pack.brings(kind, name)]

    def named(self, name: str) -> PackFacts | None:
        """Returns a pack by its short name or its distribution, None if none is known."""
        return next((pack for pack in self.packs if name in (pack.distribution, pack.name)), None)


def known_packs(*, patient: bool = False) -> KnownPacks:
    """Returns the packs of all indexes; what cannot be read is left out, with a remark.

    Args:
        patient: whether to wait for slow servers and to fetch what is older than a day, as `essmc search` does; hints
            of error messages do not wait.
    """
    value = os.environ.get("ESSMC_INDEX", "")
    # Relative paths name other files in another folder.
    return _known_packs(value, os.getcwd() if value else "", patient)


@lru_cache(maxsize=8)
def _known_packs(value: str, folder: str, patient: bool) -> KnownPacks:
    # An index is read where a name is missing or looked for; what that needs takes a tenth of a second to import.
    from essmc_core.index.fetching import read_place
    from essmc_core.index.places import further_places
    from essmc_core.index.reading import shipped_index

    packs: dict[str, PackFacts] = {}
    remarks = []
    _merge(packs, shipped_index().packs)
    for place in further_places(value):
        try:
            fetched = read_place(place, patient=patient)
        except EssmcError as error:
            remarks.append(f"{error.message}; {error.hint}" if error.hint else error.message)
            continue
        _merge(packs, fetched.index.packs)
        remarks += [fetched.remark] if fetched.remark else []
    return KnownPacks(tuple(packs[name] for name in sorted(packs)), tuple(remarks))


def _merge(packs: dict[str, PackFacts], further: Iterable[PackFacts]) -> None:
    """Adds packs; of two versions of one distribution the newer one stays."""
    for pack in further:
        there = packs.get(pack.distribution)
        if there is None or _is_newer(pack.version, there.version):
            packs[pack.distribution] = pack


def _is_newer(version: str, other: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version) > Version(other)
    except InvalidVersion:
        return False
