"""``Config``: an immutable mapping that keeps the position of each of its values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from essmc_core.config.merge import merge
from essmc_core.config.overrides import apply_overrides
from essmc_core.config.tree import MappingNode, Node, NodeBacked, SequenceNode, from_python, settled, walk
from essmc_core.foundation.names import did_you_mean
from essmc_core.location import Location

_READ_ONLY = "a Config does not change; cfg.with_overrides({'path.to.value': value}) returns a changed copy"


class Config(NodeBacked, Mapping[str, Any]):
    """An immutable configuration.

    Nested mappings are Configs and sequences are tuples. Keys that are identifiers can be read as attributes too,
    unless a method has the name (``cfg["items"]``). Objects that YAML cannot represent, such as a module that is
    already built, are kept by identity and never copied. A Config equals any mapping of equal content; lists compare
    equal to tuples.

    Args:
        content: what to hold; copied, never changed.
        where: the position that all of it gets, except Configs inside, which keep their own.

    Raises:
        ConfigError: a key is not a string, or the content contains itself.
    """

    __slots__ = ("_data",)
    _data: dict[str, Any]

    def __init__(self, content: Mapping[str, object] | None = None, *, where: Location | None = None) -> None:
        node = from_python({} if content is None else content, where)
        if not isinstance(node, MappingNode):
            raise TypeError(f"a Config is made of a mapping, not {type(content).__name__}")
        self._hold(settled(node))

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object], where: Location | None = None) -> Config:
        """The same as ``Config(mapping, where=where)``."""
        return cls(mapping, where=where)

    @classmethod
    def from_node(cls, node: MappingNode) -> Config:
        """Wraps a fully merged node tree; for the readers in this package."""
        return _wrap(settled(node))

    def _hold(self, node: MappingNode) -> None:
        object.__setattr__(self, "_node", node)
        object.__setattr__(self, "_data", {key: _freeze(entry.value) for key, entry in node.entries.items()})

    def __getitem__(self, key: str) -> Any:
        return self._data[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __contains__(self, key: object) -> bool:
        return key in self._data

    def __getattr__(self, name: str) -> Any:
        # copy and pickle look up special methods, sometimes before __init__ has run.
        if name.startswith("__") or name in ("_data", "_node"):
            raise AttributeError(name)
        if name in self._data:
            return self._data[name]
        suggestion = did_you_mean(name, self._data)
        raise AttributeError(f"no key {name!r} in {self!r}" + (f"; {suggestion}" if suggestion else ""))

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(key for key in self._data if key.isidentifier())]

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise TypeError(_READ_ONLY)

    def __delattr__(self, name: str) -> NoReturn:
        raise TypeError(_READ_ONLY)

    def __setitem__(self, key: str, value: object) -> NoReturn:
        raise TypeError(_READ_ONLY)

    def __delitem__(self, key: str) -> NoReturn:
        raise TypeError(_READ_ONLY)

    def __eq__(self, other: object) -> bool:
        return _equal(self, other) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> Config:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Config:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return (_wrap, (self._node,))

    def __repr__(self) -> str:
        keys = list(self._data)
        shown = ", ".join(keys[:6]) + (", ..." if len(keys) > 6 else "")
        return f"<Config: {shown}>" if keys else "<Config: empty>"

    def where(self, *path: str | int) -> Location | None:
        """Returns where a value was written; None if that is not known or there is no such value.

        Args:
            path: keys and list indices from here; nothing for this mapping itself.
        """
        if not path:
            return self._node.where
        entries = list(walk(self._node, path))
        return entries[-1].value.where if len(entries) == len(path) else None

    def where_key(self, *path: str | int) -> Location | None:
        """Returns where the key of a value was written; for an item of a list, where the item was."""
        entries = list(walk(self._node, path))
        if not path or len(entries) < len(path):
            return None
        return entries[-1].value.where if isinstance(path[-1], int) else entries[-1].key_where

    def merged(self, *others: Mapping[str, object]) -> Config:
        """Returns a new Config with others merged over this one, in order, as files are merged over their ``_base_``.

        Raises:
            ConfigError: another mapping cannot be a configuration.
        """
        node = self._node
        for other in others:
            over = from_python(other)
            if not isinstance(over, MappingNode):
                raise TypeError(f"a Config is merged with mappings, not {type(other).__name__}")
            node = merge(node, over)
        return Config.from_node(node)

    def without(self, *keys: str) -> Config:
        """Returns a new Config without some of its top-level keys."""
        kept = {key: entry for key, entry in self._node.entries.items() if key not in keys}
        return Config.from_node(MappingNode(kept, self._node.where))

    def with_overrides(self, overrides: str | Sequence[str] | Mapping[str, object]) -> Config:
        """Returns a new Config with single values set, as by ``load_config(..., overrides)``.

        Raises:
            OverrideError: an override cannot be applied.
        """
        return Config.from_node(apply_overrides(self._node, overrides))

    def to_dict(self) -> dict[str, Any]:
        """Returns plain, mutable dicts and lists; other objects by identity."""
        return {key: _thaw(value) for key, value in self._data.items()}

    def dump(self) -> str:
        """Returns YAML text that ``load_config`` reads back as an equal Config.

        Raises:
            ConfigError: a value that YAML cannot represent.
        """
        from essmc_core.config.writer import write_yaml

        return write_yaml(self._node)


def _wrap(node: MappingNode) -> Config:
    config = Config.__new__(Config)
    config._hold(node)
    return config


def _freeze(node: Node) -> object:
    if isinstance(node, MappingNode):
        return _wrap(node)
    if isinstance(node, SequenceNode):
        return tuple(_freeze(item) for item in node.items)
    return node.value


def _thaw(value: object) -> object:
    if isinstance(value, Config):
        return value.to_dict()
    return [_thaw(item) for item in value] if isinstance(value, tuple) else value


def _equal(left: object, right: object) -> bool:
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return len(left) == len(right) and all(key in right and _equal(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(_equal, left, right))
    return left is right or bool(left == right)
