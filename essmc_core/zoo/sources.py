"""Where the mapping of a zoo entry comes from: a file of its own, or a row of a table (`essmc_core.zoo.rows`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from essmc_core.location import Location

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.config.load import PackResolver
    from essmc_core.zoo.facts import Facts
    from essmc_core.zoo.facts_cache import FactsCache


class EntrySource(Protocol):
    """What an entry is read from, when it is asked for."""

    @property
    def where(self) -> Location:
        """The place to look at: the file, or the row."""

    @property
    def file(self) -> Path | None:
        """The file that holds this entry alone; None if it is made of a row."""

    @property
    def maker(self) -> str:
        """What makes the entry: its file, or the template and table that make others too."""

    @property
    def folder(self) -> Path | None:
        """The folder of the pack's files of entries, None if it has none."""

    def config(self, resolve_pack: PackResolver | None) -> Config:
        """Reads the entry.

        Raises:
            ConfigError: it cannot be used.
        """

    def facts(self, resolve_pack: PackResolver | None, cache: FactsCache | None) -> Facts:
        """Returns what listings show, without the whole configuration where that is cheaper.

        Raises:
            ConfigError: it cannot be used.
        """


@dataclass(frozen=True, slots=True)
class EntryFile:
    """A YAML file.

    Attributes:
        path: the file.
    """

    path: Path

    @property
    def where(self) -> Location:
        """The file."""
        return Location(str(self.path))

    @property
    def file(self) -> Path:
        """The file."""
        return self.path

    @property
    def maker(self) -> str:
        """The file."""
        return str(self.path)

    @property
    def folder(self) -> Path:
        """The folder of the file."""
        return self.path.parent

    def config(self, resolve_pack: PackResolver | None) -> Config:
        """Reads the file and its bases."""
        from essmc_core.config import load_config
        from essmc_core.zoo.facts import check_entry

        config = load_config(self.path, resolve_pack=resolve_pack)
        check_entry(config)
        return config

    def facts(self, resolve_pack: PackResolver | None, cache: FactsCache | None) -> Facts:
        """Returns the facts from the cache, or reads the file."""
        known = None if cache is None else cache.get(self.path)
        if known is not None:
            return known
        from essmc_core.config.load import load_with_files
        from essmc_core.zoo.facts import check_entry, facts_of

        config, files = load_with_files(self.path, resolve_pack)
        check_entry(config)
        found = facts_of(config)
        if cache is not None:
            cache.put(self.path, files, found)
        return found
