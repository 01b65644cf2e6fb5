"""A zoo entry's source that is a row of a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from essmc_core.location import Location
from essmc_core.zoo.facts import Facts, check_entry, facts_of
from essmc_core.zoo.tables import Row
from essmc_core.zoo.templates import Template

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.config.load import PackResolver
    from essmc_core.zoo.facts_cache import FactsCache


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A row of a table and the template that makes an entry of it.

    Attributes:
        template: the template.
        row: the row.
    """

    template: Template
    row: Row

    @property
    def where(self) -> Location:
        """The row."""
        return self.row.where or Location(str(self.template.table))

    @property
    def file(self) -> None:
        """No file holds this entry alone."""
        return None

    @property
    def maker(self) -> str:
        """The template and the table."""
        return f"{self.template.template} of {self.template.table}"

    @property
    def folder(self) -> Path | None:
        """The folder of the template, None if that is a function."""
        return None if self.template.file is None else self.template.file.parent

    def config(self, resolve_pack: PackResolver | None) -> Config:
        """Makes the entry."""
        config = self.template.config(self.row, resolve_pack)
        check_entry(config)
        return config

    def facts(self, resolve_pack: PackResolver | None, cache: FactsCache | None) -> Facts:
        """Makes the entry as a plain mapping, where the template is a function."""
        made = self.template.mapping(self.row, resolve_pack)
        check_entry(made)
        return facts_of(made)
