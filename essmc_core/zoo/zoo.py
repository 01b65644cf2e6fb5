"""The zoo: models by name, each described by one YAML file, or one row of a table, with configuration and metadata."""

from __future__ import annotations

import contextlib
import functools
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.errors import ConfigError, ConfigFileNotFound, EssmcError, UnknownDataset, UnknownModel
from essmc_core.foundation.names import Patterns, as_patterns, did_you_mean, natural_key
from essmc_core.location import Location
from essmc_core.registry.nametable import NameTable, Pins, no_pins
from essmc_core.registry.registry import Explain, explain_nothing
from essmc_core.zoo.datasets import is_dataset, spellings
from essmc_core.zoo.sources import EntrySource

# Discovery needs none of these, and they take time to import.
if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.zoo.facts import Facts
    from essmc_core.zoo.facts_cache import FactsCache
    from essmc_core.zoo.licence import Licence
    from essmc_core.zoo.templates import Template


@dataclass(frozen=True)
class ZooEntry:
    """One model of the zoo; its file is read, or its row filled in, on first use.

    Attributes:
        name: name within its pack, e.g. ``tada2d_r50_k400``.
        pack: short name of the pack that ships it; ``core`` for those of essmc-core.
        source: the YAML file, or the row of a table and its template.
        bare: whether the name resolves without the pack's prefix.
    """

    name: str
    pack: str
    source: EntrySource
    bare: bool = True
    aliases: tuple[str, ...] = ()
    deprecated: tuple[str, ...] = ()
    resolve_pack: Any = field(default=None, repr=False, compare=False)
    zoo: Zoo | None = field(default=None, repr=False, compare=False)

    @property
    def qualified(self) -> str:
        """``pack/name``, which always resolves."""
        return f"{self.pack}/{self.name}"

    def instead_of(self, old_name: str) -> str:
        """Returns what to use instead of a deprecated name."""
        return repr(self.qualified)

    @property
    def file(self) -> Path | None:
        """The file that holds this entry alone; None if it is made of a row of a table."""
        return self.source.file

    @property
    def where(self) -> Location:
        """The place to look at: the file, or the row."""
        return self.source.where

    @functools.cached_property
    def config(self) -> Config:
        """The whole entry.

        Raises:
            ConfigError: the file is missing, is not YAML, the row cannot be filled in, or there is a section that zoo
                entries do not have.
        """
        return self.source.config(self.resolve_pack)

    @functools.cached_property
    def facts(self) -> Facts:
        """What listings show, which may come from a cache.

        Raises:
            ConfigError: as for `config`.
        """
        return self.source.facts(self.resolve_pack, None if self.zoo is None else self.zoo.cache)

    def section(self, name: str) -> Mapping[str, Any]:
        """Returns a section that is a mapping, empty if the entry has none."""
        value = self.config.get(name)
        return value if isinstance(value, Mapping) else {}

    @property
    def summary(self) -> str:
        """One line for listings."""
        return self.facts.summary

    @property
    def modality(self) -> str:
        """``image`` or ``video``; empty if the entry does not state it."""
        return self.facts.modality

    @property
    def results(self) -> Sequence[Mapping[str, Any]]:
        """Published or measured results, each with dataset, metric, value, protocol and source."""
        return self.facts.results

    @property
    def datasets(self) -> list[str]:
        """The data sets the results are on, in the order of the entry."""
        return list(dict.fromkeys(str(result["dataset"]) for result in self.results if "dataset" in result))

    @property
    def pretrained(self) -> bool:
        """Whether weights can be fetched."""
        return bool(self.facts.uri)

    @property
    def params(self) -> int | None:
        """Number of parameters, None if the entry does not state it; `essmc verify --write` writes it into a file."""
        return self.facts.params

    @property
    def macs(self) -> float | None:
        """Multiply-accumulates of one view, None if the entry does not state them."""
        return self.facts.macs

    @property
    def licence(self) -> Licence:
        """The licences of the code and of the weights, as far as the entry states them."""
        return self.facts.licence

    @property
    def has_check(self) -> bool:
        """Whether the entry states a fingerprint of its network and weights."""
        return self.facts.has_check

    @property
    def listed_aliases(self) -> tuple[str, ...]:
        """Other names of this entry, which it states itself."""
        return self.facts.aliases

    def labels(self) -> list[str]:
        """Returns the class names by index, empty if the entry names none.

        Raises:
            ConfigFileNotFound: the file of labels is missing.
        """
        from essmc_core.zoo.labels import read_labels

        return read_labels(self.config, self.resolve_pack)


def warn_of_broken(entry: ZooEntry, error: ConfigError) -> None:
    """Warns that an entry is omitted from a listing."""
    warnings.warn(f"zoo entry {entry.qualified} is left out: {error}", stacklevel=4)


class Zoo:
    """All zoo entries by name.

    Args:
        pins: returns the user's choice among packs that offer the same name.
        explain: returns the hint for a failed look-up.
        installed: returns the installed distributions with their versions, to determine which ones a trained run lacks.
    """

    def __init__(
        self,
        pins: Pins = no_pins,
        explain: Explain = explain_nothing,
        installed: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self.explain = explain
        self.installed = installed
        self._table: NameTable[ZooEntry] = NameTable("zoo", pins)
        self._templates: list[Template] = []
        self._expanding = threading.RLock()
        self._unread: list[Template] = []

    @functools.cached_property
    def cache(self) -> FactsCache:
        """What listings have read of entries' files."""
        from essmc_core.zoo.facts_cache import FactsCache

        return FactsCache()

    @property
    def table(self) -> NameTable[ZooEntry]:
        """The entries by name; tables that packs registered are read on first use.

        One that cannot be read is a warning, and the other entries are there.
        """
        if self._unread:
            with self._expanding:
                while self._unread:
                    self._expand(self._unread[0])
                    self._unread.pop(0)
        return self._table

    def _expand(self, template: Template) -> None:
        """Adds an entry for each row, except those that a file of the same name, or an earlier table, has taken."""
        from essmc_core.zoo.rows import EntryRow

        try:
            rows = template.rows
        except EssmcError as error:
            warnings.warn(f"a zoo table of the pack {template.pack} is left out: {error}", stacklevel=5)
            return
        taken = {entry.name for entry in self._table if entry.pack == template.pack}
        made = [
            ZooEntry(row.name, template.pack, EntryRow(template, row), bare=template.bare)
            for row in rows
            if row.name not in taken
        ]
        self._table.replace_where(lambda _: False, self._adopted(made))

    def _adopted(self, entries: Sequence[ZooEntry]) -> Sequence[ZooEntry]:
        for entry in entries:
            object.__setattr__(entry, "resolve_pack", self.resolve_pack)
            object.__setattr__(entry, "zoo", self)
        return entries

    def add(self, entry: ZooEntry) -> None:
        """Adds an entry; the same name from two packs stays reachable as ``pack/name``."""
        self._table.add(self._adopted([entry])[0])

    def add_template(self, template: Template) -> None:
        """Adds the entries of a table, which is read when the zoo is first asked for names."""
        with self._expanding:
            self._templates.append(template)
            self._unread.append(template)

    def replace_where(
        self, condition: Callable[[ZooEntry], bool], entries: Sequence[ZooEntry], templates: Sequence[Template] = ()
    ) -> None:
        """Replaces the entries that meet the condition, atomically, and all tables.

        Args:
            condition: returns whether an entry goes; it has to hold for those of tables.
            entries: what comes in their place.
            templates: the tables.
        """
        with self._expanding:
            self._table.replace_where(condition, self._adopted(entries))
            self._templates, self._unread = list(templates), list(templates)

    def resolve_pack(self, pack: str, file: str) -> Path:
        """Returns the file that ``_base_: pack::file`` names, looked for beside the pack's entries.

        Raises:
            ConfigFileNotFound: no pack of that name ships such a file.
        """
        found = [(entry.pack, entry.source.folder) for entry in self._table]
        found += [(template.pack, template.file.parent) for template in self._templates if template.file is not None]
        folders = list(dict.fromkeys(folder for owner, folder in found if owner == pack and folder is not None))
        for folder in folders:
            if (folder / file).is_file():
                return folder / file
        packs = sorted({owner for owner, _ in found})
        message = f"the pack {pack!r} has no zoo file {file!r}" if folders else f"no pack with a zoo is called {pack!r}"
        raise ConfigFileNotFound(message, hint=did_you_mean(pack, packs))

    def entry(self, name: str) -> ZooEntry:
        """Returns the entry of a name, alias or ``pack/name``.

        Raises:
            UnknownModel: no entry has the name; the message suggests names and packs.
            AmbiguousComponent: several packs offer it.
            BrokenPack: a quarantined pack would provide it.
        """
        found = self.table.find(name) or self._by_alias(name)
        if found is None:
            suggestion = did_you_mean(name, self.table.all_names())
            raise UnknownModel(
                f"no zoo model is called {name!r}" + (f"; {suggestion}" if suggestion else ""),
                hint=self.explain("zoo", name) or "`essmc models` shows what is there",
            )
        return found

    def _by_alias(self, name: str) -> ZooEntry | None:
        pack, _, alias = name.rpartition("/")
        found = []
        for entry in self.table:
            try:
                if alias in entry.listed_aliases and pack in ("", entry.pack):
                    found.append(entry)
            except ConfigError:
                continue
        return self.table.choose(name, found) if len(found) > 1 else next(iter(found), None)

    def entries(
        self,
        pattern: Patterns = "*",
        *,
        exclude: Patterns = (),
        modality: str | None = None,
        dataset: str | None = None,
        pretrained: bool | None = None,
        max_params: float | None = None,
        max_macs: float | None = None,
        pack: str | None = None,
        licence: Sequence[str] | None = None,
        commercial: bool = False,
        on_broken: Callable[[ZooEntry, ConfigError], None] = warn_of_broken,
    ) -> list[ZooEntry]:
        """Returns the entries that meet every condition, in natural order; see :func:`essmc_core.list_models`.

        An entry whose file has to be read and is broken is passed to ``on_broken``, so that the others are listed.

        Args:
            pattern: see :func:`essmc_core.list_models`, as for the other conditions.
            exclude: patterns to leave out.
            modality: ``image`` or ``video``.
            dataset: a data set that results are given for, in any spelling.
            pretrained: whether weights can be fetched.
            max_params: largest number of parameters.
            max_macs: largest number of multiply-accumulates for one view.
            pack: short name of the pack that provides the entry.
            licence: SPDX identifiers; code and weights may be used under one of them.
            commercial: whether code and weights have to permit commercial use.
            on_broken: called with each entry that cannot be read and its error.

        Raises:
            UnknownDataset: no entry of the zoo has results on such a data set.
            ConfigError: ``licence`` holds something else than SPDX identifiers.
        """
        wanted_licences = None
        if licence is not None:
            from essmc_core.foundation.licences import licence_identifiers

            wanted_licences = licence_identifiers(licence)

        def meets(entry: ZooEntry) -> bool:
            return (
                (modality is None or entry.modality == modality)
                and (dataset is None or any(is_dataset(name, dataset) for name in entry.datasets))
                and (pretrained is None or entry.pretrained == pretrained)
                and (max_params is None or _at_most(entry.params, max_params))
                and (max_macs is None or _at_most(entry.macs, max_macs))
                and (wanted_licences is None or entry.licence.is_among(wanted_licences, entry.pretrained))
                and (not commercial or entry.licence.permits_commercial_use(entry.pretrained))
            )

        wanted = []
        for entry in self.table.records(pattern, exclude):
            if pack is not None and entry.pack != pack:
                continue
            try:
                if meets(entry):
                    wanted.append(entry)
            except ConfigError as error:
                on_broken(entry, error)
        self.cache.save()
        if dataset is not None and not wanted:
            self._check_dataset(dataset)
        return wanted

    def _check_dataset(self, pattern: str) -> None:
        names: dict[str, None] = {}
        for entry in self.table:
            with contextlib.suppress(ConfigError):
                names |= dict.fromkeys(entry.datasets)
        if any(is_dataset(name, pattern) for name in names):
            return
        suggestion = did_you_mean(pattern, spellings(names))
        raise UnknownDataset(
            f"no zoo model has results on a data set called {pattern!r}" + (f"; {suggestion}" if suggestion else ""),
            hint=f"there are results on {', '.join(sorted(names, key=natural_key))}",
        )

    def names(self, pattern: Patterns = "*", exclude: Patterns = ()) -> list[str]:
        """Returns visible names in natural order."""
        return [self.table.display_name(entry) for entry in self.table.records(pattern, as_patterns(exclude))]


def _at_most(value: float | None, limit: float) -> bool:
    return value is not None and value <= limit


def core_zoo_directory() -> Path:
    """Returns the folder of essmc-core's own entries: in the wheel, or beside the package in an editable install."""
    package = Path(__file__).parent.parent
    inside = package / "zoo_configs"
    return inside if inside.is_dir() else package.parent / "zoo_configs"
