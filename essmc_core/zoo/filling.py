"""Fills the ``${column}`` of a template in with the values of one row."""

from __future__ import annotations

import re
from typing import Any

from essmc_core.config.tree import Entry, MappingNode, Node, ScalarNode, SequenceNode, from_python
from essmc_core.errors import ConfigError
from essmc_core.foundation.names import did_you_mean
from essmc_core.location import Location
from essmc_core.zoo.tables import Row

_PLACE = re.compile(r"\$\{(\w+)\}")


def filled(template: MappingNode, row: Row) -> MappingNode:
    """Returns a template with a row's values in it.

    A value that is nothing but ``${column}`` becomes what the row holds, whatever its type; where the row holds nothing
    (None), its key is left out. Inside other text a column becomes text. What was filled in has the place of the row,
    all else that of the template.

    Raises:
        ConfigError: the row has no such column.
    """
    entries = {}
    for key, entry in template.entries.items():
        column = _whole(entry.value)
        if column is None or _value(column, row, entry.value.where) is not None:
            entries[key] = Entry(entry.key_where, _filled(entry.value, row))
    return MappingNode(entries, template.where, template.replaces)


def _filled(node: Node, row: Row) -> Node:
    if isinstance(node, MappingNode):
        return filled(node, row)
    if isinstance(node, SequenceNode):
        return SequenceNode(tuple(_filled(item, row) for item in node.items), node.where)
    column = _whole(node)
    if column is not None:
        return from_python(_value(column, row, node.where), row.where)
    if not isinstance(node.value, str) or not _PLACE.search(node.value):
        return node
    return ScalarNode(_PLACE.sub(lambda found: _text(_value(found[1], row, node.where)), node.value), row.where)


def _whole(node: Node) -> str | None:
    """Returns the column that stands for a whole value, None if none does."""
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        return None
    found = _PLACE.fullmatch(node.value)
    return found[1] if found else None


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _value(column: str, row: Row, where: Location | None) -> Any:
    if column in row.values:
        return row.values[column]
    hint = did_you_mean(column, row.values) or f"there is {', '.join(map(str, row.values))}"
    place = f", {row.where}," if row.where else ""
    raise ConfigError(f"the row of {row.name!r}{place} has no column {column!r}", where=where, hint=hint)
