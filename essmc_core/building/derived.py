"""Numbers that necks and heads take from the backbone beside them, so that configurations need not repeat them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from essmc_core.errors import Issue, SchemaError
from essmc_core.registry.component import Component
from essmc_core.signatures.nesting import component_kind
from essmc_core.signatures.types import derived_attribute

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

    @classmethod
    def built(cls, *parts: Any) -> Parts:
        """Returns parts that are built, the backbone first."""
        made = cls({})
        made.source = next((part for part in reversed(parts[1:]) if hasattr(part, "num_features")), parts[0])
        return made

    def take(self, name: str, built: Any, written: Any) -> None:
        """Notes a part once it is built."""
        kind = component_kind(self._types.get(name, Any))
        if kind == "backbones" or (kind == "necks" and hasattr(built, "num_features")):
            self.source = built
            self.where = written.where() if hasattr(written, "where") else None


def takes_backbone(types: Types) -> bool:
    """Tells whether a component with arguments of these types has a backbone among its parts."""
    return any(component_kind(annotation) == "backbones" for annotation in types.values())


def building_order(names: Iterable[str], types: Types) -> list[str]:
    """Returns the names of arguments with backbones first, then necks, the rest as they were."""
    return sorted(names, key=lambda name: _ORDER.get(component_kind(types.get(name, Any)) or "", len(_ORDER)))


def derived_arguments(
    component: Component,
    types: Types,
    config: Mapping[str, Any],
    path: tuple[str | int, ...],
    beside: Parts | None,
    required: Container[str] = (),
) -> dict[str, Any]:
    """Returns the arguments that the backbone beside a component fills, because they are not written.

    Args:
        component: what is built.
        types: the types of its arguments.
        config: the arguments that are written.
        path: where it is in the configuration.
        beside: the parts before it.
        required: arguments without a default.

    Raises:
        SchemaError: an argument is written and the backbone has another number, or it is needed and the backbone does
            not tell; both places are named.
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
        elif actual is None and name in required:
            message = f"{component.name} needs {name}, and {type(beside.source).__name__} has no attribute {attribute}"
            where = config.where() if hasattr(config, "where") else None
            hint = f"write {name}, or give the backbone {attribute}"
            raise SchemaError([Issue(".".join(map(str, path)) or component.name, message, where, hint)])
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
