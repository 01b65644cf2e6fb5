"""Dotted overrides such as ``model.head.num_classes=51``, on which the command line and keyword knobs are based."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from essmc_core.config.reader import read_yaml
from essmc_core.config.tree import (
    BASE_KEY,
    DELETE_KEY,
    MAX_DEPTH,
    Entry,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    describe,
    dotted,
    from_python,
)
from essmc_core.errors import ConfigError, OverrideError
from essmc_core.location import Location

_FORM = "Write it as path=value, for example model.head.num_classes=51 or pipeline.0.size=[112, 112]."


@dataclass(frozen=True, slots=True)
class Override:
    """One value to set.

    Attributes:
        path: keys and, for lists, indices as digits.
        value: what to put there.
        where: the position the value has from then on.
    """

    path: tuple[str, ...]
    value: Node
    where: Location


def apply_overrides(root: MappingNode, overrides: str | Sequence[str] | Mapping[str, object]) -> MappingNode:
    """Sets each value in order; missing mappings along a path are created.

    Raises:
        OverrideError: bad syntax, a path through a scalar, or a list index that does not exist.
    """
    for override in parse_overrides(overrides):
        root = _set_key(root, override, 0)
    return root


def parse_overrides(overrides: str | Sequence[str] | Mapping[str, object]) -> list[Override]:
    """Returns the parsed overrides; a string is one override.

    Raises:
        OverrideError: bad syntax.
    """
    if isinstance(overrides, Mapping):
        return [_from_pair(path, value) for path, value in overrides.items()]
    if isinstance(overrides, str):
        return [_from_text(overrides)]
    if not all(isinstance(item, str) for item in overrides):
        raise OverrideError(
            f"overrides are a list of strings, or a mapping from path to value, not {overrides!r}", hint=_FORM
        )
    return [_from_text(text) for text in overrides]


def _from_text(text: str) -> Override:
    where = Location(f"override {text!r}")
    path, separator, value = text.partition("=")
    if not separator:
        raise OverrideError("there is no '='", where=where, hint=_FORM)
    return Override(_split(path.strip(), where), _parse_value(value, where), where)


def _from_pair(path: str, value: object) -> Override:
    if not isinstance(path, str):
        raise OverrideError(f"the path {path!r} is a {type(path).__name__}, not a string", hint=_FORM)
    where = Location(f"override {f'{path}={_brief(value)}'!r}")
    try:
        return Override(_split(path, where), from_python(value, where), where)
    except OverrideError:
        raise
    except ConfigError as error:
        raise OverrideError(error.message, where=where, hint=error.hint) from error


def _brief(value: object) -> str:
    if isinstance(value, Mapping):
        return "{...}"
    if isinstance(value, (list, tuple)) and len(value) > 4:
        return f"[... {len(value)} values]"
    if value is None or isinstance(value, (str, bool, int, float, list, tuple)):
        text = str(list(value) if isinstance(value, tuple) else value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    return type(value).__name__


def _split(path: str, where: Location) -> tuple[str, ...]:
    parts = tuple(path.split("."))
    if not all(parts) or any(part != part.strip() for part in parts):
        raise OverrideError(f"{path!r} is not a dotted path", where=where, hint=_FORM)
    if len(parts) > MAX_DEPTH:
        raise OverrideError(f"the path is more than {MAX_DEPTH} levels deep", where=where)
    for part in parts:
        if part in (BASE_KEY, DELETE_KEY):
            raise OverrideError(f"{part} steers how files are merged and cannot be overridden", where=where)
    return parts


def _parse_value(text: str, where: Location) -> Node:
    try:
        node = read_yaml(text, where.source, is_file=False)
    except ConfigError as error:
        raise OverrideError(f"the value cannot be used: {error.message}", where=where, hint=error.hint) from error
    stripped = text.strip()
    if stripped.startswith("#"):
        raise OverrideError("the value is a YAML comment", where=where, hint=f"Quote it: '{stripped}'.")
    if node is None:
        return ScalarNode(None, where)
    if not isinstance(node, ScalarNode) and stripped[0] not in "[{&!":
        hint = f"Write [...] or {{...}}, or quote it: '{stripped}'."
        raise OverrideError(f"the value would be a {describe(node)}", where=where, hint=hint)
    return node


def _set(node: Node, override: Override, depth: int) -> Node:
    if depth == len(override.path):
        return override.value
    if isinstance(node, MappingNode):
        return _set_key(node, override, depth)
    if isinstance(node, SequenceNode):
        return _set_item(node, override, depth)
    path, here = dotted(override.path), dotted(override.path[:depth])
    raise OverrideError(
        f"cannot set {path}: {here} is {describe(node)}{_written(node)}, not a mapping or list",
        where=override.where,
        hint=f"Set the whole of it: {here}={{{override.path[depth]}: ...}}.",
    )


def _set_key(node: MappingNode, override: Override, depth: int) -> MappingNode:
    key = override.path[depth]
    old = node.entries.get(key) or Entry(override.where, MappingNode({}, override.where))
    entry = Entry(old.key_where, _set(old.value, override, depth + 1))
    return MappingNode({**node.entries, key: entry}, node.where, node.replaces)


def _set_item(node: SequenceNode, override: Override, depth: int) -> SequenceNode:
    index = _index(override.path[depth], node, override, depth)
    item = _set(node.items[index], override, depth + 1)
    return SequenceNode((*node.items[:index], item, *node.items[index + 1 :]), node.where)


def _index(key: str, node: SequenceNode, override: Override, depth: int) -> int:
    here = dotted(override.path[:depth])
    if not (key.isascii() and key.isdigit()):
        raise OverrideError(
            f"{here} is a {describe(node)}{_written(node)}; {key!r} is not an index", where=override.where
        )
    if len(key) > 9 or int(key) >= len(node.items):
        span = f"0 to {len(node.items) - 1}" if node.items else "none, it is empty"
        raise OverrideError(
            f"{here} has no item {key}{_written(node)}", where=override.where, hint=f"Its indices are {span}."
        )
    return int(key)


def _written(node: Node) -> str:
    return f" ({node.where})" if node.where else ""
