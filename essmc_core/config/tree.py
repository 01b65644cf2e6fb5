"""The node tree: configuration values with their positions, before they become a Config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from essmc_core.errors import ConfigError
from essmc_core.location import Location

BASE_KEY = "_base_"
DELETE_KEY = "_delete_"

# Far beyond any real configuration: anything deeper or larger is a mistake or an attack.
MAX_DEPTH = 64
MAX_NODES = 200_000


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A leaf value: a YAML scalar, or any Python object kept as it is."""

    value: object
    where: Location | None


@dataclass(frozen=True, slots=True)
class SequenceNode:
    """A list or tuple."""

    items: tuple[Node, ...]
    where: Location | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping, its position and its value."""

    key_where: Location | None
    value: Node


@dataclass(frozen=True, slots=True)
class MappingNode:
    """A mapping.

    Attributes:
        entries: by key, in the order of the file; never changed once the node exists.
        where: where the mapping starts.
        replaces: whether it replaces what it is merged over (``_delete_: true``) instead of merging with it.
    """

    entries: Mapping[str, Entry]
    where: Location | None
    replaces: bool = False


Node: TypeAlias = ScalarNode | SequenceNode | MappingNode


class NodeBacked:
    """Base of objects that already carry a node tree, so that embedding them keeps their positions."""

    __slots__ = ("_node",)
    _node: MappingNode


def dotted(path: tuple[str | int, ...]) -> str:
    """Returns the path in dotted notation, e.g. ``pipeline.0.size``."""
    return ".".join(map(str, path)) or "the top"


def from_python(value: object, where: Location | None = None) -> Node:
    """Copies mappings, lists and tuples into nodes; any other object becomes a scalar, by identity.

    Raises:
        ConfigError: a key is not a string, ``_base_`` is used outside a file, ``_delete_`` is not a boolean, or the
            value contains itself or is nested too deeply.
    """
    return _Converter(where).convert(value, ())


class _Converter:
    def __init__(self, where: Location | None) -> None:
        self.where = where
        self.open: set[int] = set()

    def convert(self, value: object, path: tuple[str | int, ...]) -> Node:
        if isinstance(value, NodeBacked):
            return value._node
        if not isinstance(value, (Mapping, list, tuple)):
            return ScalarNode(value, self.where)
        if id(value) in self.open:
            raise ConfigError(f"{dotted(path)} contains itself", where=self.where)
        if len(path) >= MAX_DEPTH:
            raise ConfigError(f"nested more than {MAX_DEPTH} levels deep", where=self.where)
        self.open.add(id(value))
        node = self._mapping(value, path) if isinstance(value, Mapping) else self._sequence(value, path)
        self.open.discard(id(value))
        return node

    def _sequence(self, value: list[object] | tuple[object, ...], path: tuple[str | int, ...]) -> SequenceNode:
        return SequenceNode(tuple(self.convert(item, (*path, i)) for i, item in enumerate(value)), self.where)

    def _mapping(self, value: Mapping[object, object], path: tuple[str | int, ...]) -> MappingNode:
        entries: dict[str, Entry] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise ConfigError(
                    f"{dotted(path)}: the key {key!r} is a {type(key).__name__}; keys are strings", where=self.where
                )
            if key == BASE_KEY:
                raise ConfigError(f"{dotted(path)}: {BASE_KEY} is read only at the top of a file", where=self.where)
            entries[key] = Entry(self.where, self.convert(item, (*path, key)))
        return take_delete(entries, self.where)


def take_delete(entries: dict[str, Entry], where: Location | None, *, inherited: bool = False) -> MappingNode:
    """Returns a mapping node of the entries, with a ``_delete_`` key turned into the node's ``replaces``."""
    entry = entries.pop(DELETE_KEY, None)
    if entry is None:
        return MappingNode(entries, where, inherited)
    flag = entry.value
    if not isinstance(flag, ScalarNode) or not isinstance(flag.value, bool):
        found = repr(flag.value) if isinstance(flag, ScalarNode) else f"a {describe(flag)}"
        raise ConfigError(
            f"{DELETE_KEY} must be true or false, not {found}",
            where=flag.where or entry.key_where,
            hint=f"Put {DELETE_KEY}: true inside the mapping that should replace its base instead of merging with it.",
        )
    return MappingNode(entries, where, flag.value)


def settled(node: MappingNode) -> MappingNode:
    """Returns the same tree as plain data, without merge instructions.

    Raises:
        ConfigError: the tree is nested too deeply for recursive functions.
    """
    return _settled_mapping(node, 0)


def _settled_mapping(node: MappingNode, depth: int) -> MappingNode:
    if depth > MAX_DEPTH:
        raise ConfigError(f"nested more than {MAX_DEPTH} levels deep", where=node.where)
    entries = {key: Entry(entry.key_where, _settled(entry.value, depth + 1)) for key, entry in node.entries.items()}
    return MappingNode(entries, node.where)


def _settled(node: Node, depth: int) -> Node:
    if isinstance(node, MappingNode):
        return _settled_mapping(node, depth)
    if isinstance(node, SequenceNode):
        if depth > MAX_DEPTH:
            raise ConfigError(f"nested more than {MAX_DEPTH} levels deep", where=node.where)
        return SequenceNode(tuple(_settled(item, depth + 1) for item in node.items), node.where)
    return node


def describe(node: Node) -> str:
    """Returns what a node is, for messages."""
    if isinstance(node, MappingNode):
        return "mapping"
    if isinstance(node, SequenceNode):
        return f"list of {len(node.items)}"
    if node.value is None or isinstance(node.value, (str, bool, int, float)):
        text = repr(node.value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    return type(node.value).__name__


def walk(node: Node, path: tuple[str | int, ...]) -> Iterator[Entry]:
    """Yields the entries along a path as far as it exists; a list's items have no key position."""
    for part in path:
        if isinstance(node, MappingNode) and isinstance(part, str) and part in node.entries:
            entry = node.entries[part]
        elif isinstance(node, SequenceNode) and isinstance(part, int) and 0 <= part < len(node.items):
            entry = Entry(None, node.items[part])
        else:
            return
        yield entry
        node = entry.value
