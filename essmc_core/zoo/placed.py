"""Mappings that know where their values were written: configurations, and the entries made of a table's rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from essmc_core.location import Location

if TYPE_CHECKING:
    from essmc_core.config import Config

PlacedMapping: TypeAlias = "Config | Made"
"""What the checks of an entry take."""


class Made(dict[str, Any]):
    """The mapping of an entry that was made of a row, which is the place of all of it.

    Args:
        content: the mapping.
        row: the place.
    """

    def __init__(self, content: Mapping[str, Any], row: Location | None) -> None:
        super().__init__(content)
        self.row = row

    def where(self, *path: str | int) -> Location | None:
        """Returns the row."""
        return self.row

    def where_key(self, *path: str | int) -> Location | None:
        """Returns the row."""
        return self.row
