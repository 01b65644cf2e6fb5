"""Names that several packs may offer: qualified names always resolve, bare names unless two packs have them."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from essmc_core.errors import AmbiguousComponent, DuplicateComponent
from essmc_core.foundation.names import Patterns, as_patterns, matches, natural_key


class Named(Protocol):
    """Protocol of records in a `NameTable`."""

    @property
    def name(self) -> str:
        """The name within its pack."""

    @property
    def pack(self) -> str:
        """Short name of the pack."""

    @property
    def bare(self) -> bool:
        """Whether the name resolves without the pack's prefix."""

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names that work."""

    @property
    def deprecated(self) -> tuple[str, ...]:
        """Old names that work and warn once."""

    @property
    def qualified(self) -> str:
        """``pack/name``."""

    def instead_of(self, old_name: str) -> str:
        """Returns what to use instead of a deprecated name."""


Record = TypeVar("Record", bound=Named)
Pins = Callable[[], Mapping[str, str]]


def no_pins() -> Mapping[str, str]:
    """Returns no pins."""
    return {}


class _Index(Generic[Record]):
    """Records by each of their names."""

    def __init__(self) -> None:
        self.qualified: dict[str, Record] = {}
        self.bare: dict[str, list[Record]] = {}
        self.aliases: dict[str, list[Record]] = {}

    def add(self, record: Record) -> None:
        self.qualified[record.qualified] = record
        if record.bare:
            self.bare.setdefault(record.name, []).append(record)
        for alias in (*record.aliases, *record.deprecated):
            self.aliases.setdefault(f"{record.pack}/{alias}", []).append(record)
            if record.bare:
                self.aliases.setdefault(alias, []).append(record)


class NameTable(Generic[Record]):
    """Records of one kind by name.

    Args:
        kind: plural name of what is looked up, used in pins (``backbones/ResNet3D``) and messages.
        pins: returns the user's pins, ``{"ResNet3D": "video"}``; called only when a bare name is ambiguous.
    """

    def __init__(self, kind: str, pins: Pins = no_pins) -> None:
        self.kind = kind
        self._pins = pins
        self._lock = threading.RLock()
        self._index: _Index[Record] = _Index()
        self._warned: set[str] = set()

    def add(self, record: Record, replace: bool = False) -> None:
        """Adds a record.

        Raises:
            DuplicateComponent: its pack already has that name and ``replace`` is false.
        """
        with self._lock:
            previous = self._index.qualified.get(record.qualified)
            if previous is not None:
                if not replace:
                    raise DuplicateComponent(f"{record.qualified} is registered twice under {self.kind}")
                self.remove_where(lambda other: other is previous)
            self._index.add(record)

    def remove_where(self, condition: Callable[[Record], bool]) -> None:
        """Removes every record that meets the condition."""
        self.replace_where(condition, ())

    def replace_where(self, condition: Callable[[Record], bool], records: Iterable[Record]) -> None:
        """Replaces the records that meet the condition atomically: no reader sees an intermediate state."""
        with self._lock:
            index: _Index[Record] = _Index()
            for record in (*(old for old in self._index.qualified.values() if not condition(old)), *records):
                index.add(record)
            self._index = index

    def find(self, name: str) -> Record | None:
        """Returns the record that a qualified name, bare name or alias resolves to, None if there is none.

        Raises:
            AmbiguousComponent: several packs offer the bare name and no pin settles it.
        """
        index = self._index
        if record := index.qualified.get(name):
            return record
        if candidates := index.bare.get(name):
            return candidates[0] if len(candidates) == 1 else self.choose(name, candidates)
        if candidates := index.aliases.get(name):
            record = candidates[0] if len(candidates) == 1 else self.choose(name, candidates)
            self._warn_if_deprecated(name, record)
            return record
        return None

    def choose(self, name: str, candidates: Sequence[Record]) -> Record:
        """Returns the one of several records that a pin selects.

        Raises:
            AmbiguousComponent: no pin selects one.
        """
        pins = self._pins()
        pinned = pins.get(f"{self.kind}/{name}", pins.get(name))
        if pinned:
            wanted = pinned if "/" in pinned else f"{pinned}/{name}"
            for record in candidates:
                if record.qualified == wanted or f"{record.pack}/{name}" == wanted:
                    return record
        offers = sorted(record.qualified for record in candidates)
        stale = f"the pin {name} = {pinned!r} names none of them; " if pinned else ""
        raise AmbiguousComponent(
            f"{len(offers)} packs offer {name!r} under {self.kind}: {', '.join(offers)}",
            hint=f"{stale}write one of these names, or pin one: [tool.essmc.pins] {name} = "
            f'"{candidates[0].pack}" in pyproject.toml, or ESSMC_PINS={name}={candidates[0].pack}',
        )

    def offered_by_several(self) -> dict[str, list[Record]]:
        """Returns the records by each bare name that two or more packs offer."""
        return {name: list(offered) for name, offered in self._index.bare.items() if len(offered) > 1}

    def _warn_if_deprecated(self, name: str, record: Record) -> None:
        old_name = name.rpartition("/")[2]
        if old_name not in record.deprecated or name in self._warned:
            return
        self._warned.add(name)
        warnings.warn(
            f"{name!r} is an old name under {self.kind}; use {record.instead_of(old_name)}", FutureWarning, stacklevel=5
        )

    def display_name(self, record: Record) -> str:
        """Returns the shortest name that resolves to this record whatever the pins."""
        alone = record.bare and len(self._index.bare.get(record.name, ())) == 1
        return record.name if alone else record.qualified

    def records(self, include: Patterns = "*", exclude: Patterns = ()) -> list[Record]:
        """Returns the records whose bare or qualified name matches, in natural order."""
        records = list(self._index.qualified.values())
        if include != "*" or as_patterns(exclude):
            records = [r for r in records if _selected(r, include) and not _selected(r, exclude)]
        return sorted(records, key=lambda record: natural_key(self.display_name(record)))

    def names(self, include: Patterns = "*", exclude: Patterns = ()) -> list[str]:
        """Returns visible names in natural order."""
        return [self.display_name(record) for record in self.records(include, exclude)]

    def all_names(self) -> list[str]:
        """Returns every name that resolves, for suggestions."""
        index = self._index
        return [*index.bare, *index.qualified, *index.aliases]

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._index.qualified.values()))

    def __len__(self) -> int:
        return len(self._index.qualified)


def _selected(record: Named, patterns: Patterns) -> bool:
    return matches(record.name, patterns) or matches(record.qualified, patterns)
