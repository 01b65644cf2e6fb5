"""Zoo entries that are made from a table: a template, which is a YAML file or a function, filled in with one row."""

from __future__ import annotations

import functools
from collections.abc import Container, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.errors import ConfigError, EssmcError
from essmc_core.registry.targets import import_target, is_target

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.config.load import PackResolver
    from essmc_core.config.tree import MappingNode
    from essmc_core.zoo.placed import PlacedMapping
    from essmc_core.zoo.tables import Row


class Template:
    """A table of a pack and what makes entries of its rows.

    Args:
        pack: short name of the pack.
        template: a YAML file with ``${column}`` in values, or ``"package.module:function"``, which is called with a
            row's values and returns the mapping of an entry; a section that is a function of no arguments is called
            when the whole entry is asked for, and left out of listings.
        table: see :func:`essmc_core.zoo.tables.read_table`.
        bare: whether the names of the entries resolve without the pack's prefix.
        taken: names that files of the pack have, which count in the place of rows.
    """

    def __init__(
        self, pack: str, template: str | Path, table: str | Path, bare: bool = True, taken: Container[str] = ()
    ) -> None:
        self.pack = pack
        self.template = template
        self.table = table
        self.bare = bare
        self.taken = taken
        self._nodes: MappingNode | None = None

    @functools.cached_property
    def rows(self) -> list[Row]:
        """The rows of the table that no file stands for, read on first use.

        Raises:
            ConfigError: the table cannot be read.
        """
        from essmc_core.zoo.tables import read_table

        return [row for row in read_table(self.table, self.pack) if row.name not in self.taken]

    @property
    def file(self) -> Path | None:
        """The template's file, None if it is a function."""
        return None if is_target(self.template) else Path(self.template)

    def mapping(self, row: Row, resolve_pack: PackResolver | None) -> PlacedMapping:
        """Returns the mapping of one row's entry, as cheaply as the template allows.

        Raises:
            ConfigError: the entry cannot be made; the place is the row's, or that of a mistake in the template.
        """
        if self.file is not None:
            return self.config(row, resolve_pack)
        from essmc_core.zoo.placed import Made

        made = self._call(row)
        if "_base_" in made:
            return self.config(row, resolve_pack)
        return Made({key: value for key, value in made.items() if not callable(value)}, row.where)

    def config(self, row: Row, resolve_pack: PackResolver | None) -> Config:
        """Returns the same as a configuration, whose values have the place of the row, or of the template.

        Raises:
            ConfigError: as for `mapping`.
        """
        from essmc_core.config import Config

        if row.problem is not None:
            raise row.problem
        if self.file is not None:
            from essmc_core.zoo.filling import filled

            return Config.from_node(filled(self._node(resolve_pack), row))
        made = {key: value() if callable(value) else value for key, value in self._call(row).items()}
        if "_base_" not in made:
            return Config.from_mapping(made, where=row.where)
        from essmc_core.config.load import over_bases

        return over_bases(made, Path(row.where.source if row.where else "."), row.where, resolve_pack)

    @functools.cached_property
    def _function(self) -> Any:
        return import_target(str(self.template), f"a zoo template of {self.pack}", self.pack)

    def _call(self, row: Row) -> Mapping[str, Any]:
        if row.problem is not None:
            raise row.problem
        try:
            made = self._function(row.values)
        except EssmcError as error:
            raise ConfigError(
                error.message, where=getattr(error, "where", None) or row.where, hint=error.hint
            ) from error
        # Any failure of a pack's function makes this entry a broken one, and others are listed.
        except Exception as error:
            message = f"{self.template} cannot make the entry {row.name!r}: {type(error).__name__}: {error}"
            raise ConfigError(message, where=row.where) from error
        if not isinstance(made, Mapping):
            message = f"{self.template} returned {type(made).__name__} for {row.name!r}, not the mapping of an entry"
            raise ConfigError(message, where=row.where)
        return made

    def _node(self, resolve_pack: PackResolver | None) -> MappingNode:
        from essmc_core.config.load import load_nodes

        if self._nodes is None:
            assert self.file is not None
            self._nodes = load_nodes(self.file, resolve_pack)
        return self._nodes
