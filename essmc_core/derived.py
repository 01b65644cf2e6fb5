"""Numbers that necks and heads take from the backbone beside them, so that configurations need not repeat them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from essmc_core.component import Component
from essmc_core.errors import Issue, SchemaError
from essmc_core.schema.types import derived_attribute, nested_kind, options

if TYPE_CHECKING:
    from essmc_core.location import Location

Types = Mapping[str, Any]
_ORDER = {"backbones": 0, "necks": 1}


class Parts:
    """What was built of one model so far.

    Args:
        types: the types of the model's arguments.

    Attributes:
        source: the part whose features come next: the backbone, then the neck if it states ``num_features``.
        where: where that part is written.
    """

    def __init__(self, types: Types) -> None:
        self.source: Any = None
        self.where: Location | None = None
        self._types = types

    def take(self, name: str, built: Any, written: Any) -> None:
        """Notes a part once it is built."""
        kind = _kind_of(self._types.get(name, Any))
        if kind == "backbones" or (kind == "necks" and hasattr(built, "num_features")):
            self.source = built
            self.where = written.where() if hasattr(written, "where") else None


def takes_backbone(types: Types) -> bool:
    """Tells whether a component with arguments of these types has a backbone among its parts."""
    return any(_kind_of(annotation) == "backbones" for annotation in types.values())


def building_order(names: Iterable[str], types: Types) -> list[str]:
    """Returns the names of arguments with backbones first, then necks, the rest as they were."""
    return sorted(names, key=lambda name: _ORDER.get(_kind_of(types.get(name, Any)) or "", len(_ORDER)))


def derived_arguments(
    component: Component, types: Types, config: Mapping[str, Any], path: tuple[str | int, ...], beside: Parts | None
) -> dict[str, Any]:
    """Returns the arguments that the backbone beside a component fills, because they are not written.

    Raises:
        SchemaError: an argument is written and the backbone has another number, or the backbone does not tell;
            both places are named.
    """
    if beside is None or beside.source is None:
        return {}
    filled: dict[str, Any] = {}
    for name, annotation in types.items():
        attribute = derived_attribute(annotation)
        if attribute is None:
            continue
        actual = getattr(beside.source, attribute, None)
        if name in config:
            _require_equal(component, name, attribute, actual, config, path, beside)
        # 0 says that the number does not apply, e.g. the rank of features that are vectors already.
        elif actual:
            filled[name] = actual
    return filled


def _require_equal(
    component: Component,
    name: str,
    attribute: str,
    actual: Any,
    config: Mapping[str, Any],
    path: tuple[str | int, ...],
    beside: Parts,
) -> None:
    if not actual or config[name] == actual:
        return
    there = f" at {beside.where}" if beside.where else ""
    source = type(beside.source).__name__
    message = f"{component.name} has {name}={config[name]!r}, and {source}{there} has {attribute}={actual}"
    where = config.where(name) if hasattr(config, "where") else None
    dotted = ".".join(map(str, (*path, name)))
    raise SchemaError([Issue(dotted, message, where, f"leave {name} out to take it from the backbone")])


def _kind_of(annotation: Any) -> str | None:
    return next((kind for kind in map(nested_kind, options(annotation)) if kind is not None), None)
