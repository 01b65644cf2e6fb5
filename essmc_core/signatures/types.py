"""Translates the source text of an annotation to a type that pydantic can check, without evaluating it."""

from __future__ import annotations

import ast
import functools
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Union, get_args, get_origin, get_type_hints, is_typeddict

from essmc_core.contract.annotations import (
    Bounds,
    Configured,
    FeatureDim,
    FeatureRank,
    FromBackbone,
    LrSchedulerConfig,
    MetricOnKeys,
    Nested,
    NonNegativeFloat,
    NonNegativeInt,
    OptimizerConfig,
    PositiveFloat,
    PositiveInt,
    Probability,
    ShareBelowOne,
)


class Kind(Protocol):
    """A kind of component."""

    kind: str
    """Its plural name."""


class Kinds(Protocol):
    """The existing kinds of component."""

    def by_annotation(self, alias: str) -> Kind | None:
        """Returns the kind whose nested parameters carry this annotation, e.g. ``Backbone``; None if there is none."""


BOUNDED: dict[str, Any] = {
    "PositiveInt": PositiveInt,
    "NonNegativeInt": NonNegativeInt,
    "PositiveFloat": PositiveFloat,
    "NonNegativeFloat": NonNegativeFloat,
    "Probability": Probability,
    "ShareBelowOne": ShareBelowOne,
}
"""Types of numbers with limits, by the names of their annotations."""
_PLAIN: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "complex": complex,
    "bytes": bytes,
    "None": None,
    "Path": str,
    "PathLike": str,
    "FeatureDim": FeatureDim,
    "FeatureRank": FeatureRank,
    "OptimizerConfig": OptimizerConfig,
    "LrSchedulerConfig": LrSchedulerConfig,
    "MetricOnKeys": MetricOnKeys,
}
_OBJECTS = ("Tensor",)
"""Types whose values no configuration file can hold."""
_SEQUENCES = ("list", "List", "Sequence", "MutableSequence", "Iterable", "Collection", "set", "frozenset", "Set")
_MAPPINGS = ("dict", "Dict", "Mapping", "MutableMapping", "OrderedDict")


def evaluate(annotation: Any, kinds: Kinds) -> Any:
    """Returns the type that an annotation stands for; ``Any`` wherever that cannot be determined.

    Sequences of every spelling accept lists and tuples alike. A nested component becomes
    ``Annotated[Any, Nested(kind)]``.

    Args:
        annotation: source text, or the annotation object of a live signature.
        kinds: the kinds by their annotation aliases.
    """
    if annotation == "":
        return Any
    if not isinstance(annotation, str):
        return _from_object(annotation, kinds)
    try:
        return _from_node(ast.parse(annotation, mode="eval").body, kinds)
    except SyntaxError:
        return Any


def without_limits(text: str) -> str:
    """Replaces number types with limits by plain types in an annotation's text: ``PositiveInt`` -> ``int``."""
    bases = {name: get_args(bounded)[0].__name__ for name, bounded in BOUNDED.items()}
    return re.sub(rf"\b({'|'.join(bases)})\b", lambda found: bases[found[0]], text)


def nested_kind(annotated: Any) -> str | None:
    """Returns the kind that an ``Annotated[Any, Nested(kind)]`` names, None for other types."""
    if get_origin(annotated) is Annotated:
        for extra in get_args(annotated)[1:]:
            if isinstance(extra, Nested):
                return extra.kind
    return None


def configured(annotated: Any) -> Configured | None:
    """Returns the `Configured` mark of a type, None for other types."""
    extras = get_args(annotated)[1:] if get_origin(annotated) is Annotated else ()
    return next((extra for extra in extras if isinstance(extra, Configured)), None)


def has_configured(annotated: Any) -> bool:
    """Returns whether the configuration of a component can occur anywhere inside the type."""
    inner = fields(annotated).values() or get_args(annotated)
    return configured(annotated) is not None or any(map(has_configured, inner))


def fields(annotated: Any) -> Mapping[str, Any]:
    """Returns the annotations of a mapping with named fields, by name; nothing for other types."""
    return get_type_hints(annotated, include_extras=True) if is_typeddict(annotated) else {}


def derived_attribute(annotated: Any) -> str | None:
    """Returns the attribute of the backbone that fills an argument, None for other arguments."""
    for member in options(annotated):
        if get_origin(member) is Annotated:
            for extra in get_args(member)[1:]:
                if isinstance(extra, FromBackbone):
                    return extra.attribute
    return None


def options(annotated: Any) -> tuple[Any, ...]:
    """Returns the members of a union, or the type alone."""
    if get_origin(annotated) in (Union, types.UnionType):
        return tuple(get_args(annotated))
    return (annotated,)


def has_nested(annotated: Any) -> bool:
    """Returns whether a nested component can occur anywhere inside the type."""
    return nested_kind(annotated) is not None or any(has_nested(argument) for argument in get_args(annotated))


def _sequence(*items: Any, fixed: bool = False) -> Any:
    """Returns a tuple type that accepts lists and tuples, but neither strings nor mappings."""
    import pydantic

    made = tuple[items] if fixed else tuple[items[0] if items else Any, ...]  # type: ignore[valid-type,misc]
    return Annotated[made, pydantic.Strict(False)]


def _mapping(*items: Any) -> Any:
    key, value = items if len(items) == 2 else (str, Any)
    return dict[key, value]  # type: ignore[valid-type]


def _object() -> Any:
    """Returns a type that accepts any value except those that a configuration file can hold."""
    import pydantic

    return Annotated[Any, pydantic.PlainValidator(_unwritten)]


def _unwritten(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float, str, list, tuple, dict)):
        raise ValueError("an object is needed")
    return value


@functools.lru_cache(maxsize=64)
def _bounded(annotated: Any) -> Any:
    """Returns the type of numbers within limits."""
    import pydantic

    bounds = next(extra for extra in get_args(annotated)[1:] if isinstance(extra, Bounds))
    limits = pydantic.Field(ge=bounds.least, gt=bounds.above, le=bounds.most, lt=bounds.below)
    return Annotated[get_args(annotated)[0], limits]


def _union(members: Iterable[Any]) -> Any:
    members = tuple(members)
    return Any if any(member is Any for member in members) else Union[members]  # noqa: UP007 - built from a tuple


def _from_node(node: ast.expr, kinds: Kinds) -> Any:
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            return evaluate(node.value, kinds)
        return None if node.value is None else Any
    if isinstance(node, (ast.Name, ast.Attribute)):
        return _from_name(_last_name(node), kinds)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union(_from_node(side, kinds) for side in union_members(node))
    if isinstance(node, ast.Subscript):
        return _from_subscript(node, kinds)
    return Any


def union_members(node: ast.expr) -> Iterator[ast.expr]:
    """Yields the sides of ``A | B``, or what stands alone."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from union_members(node.left)
        yield from union_members(node.right)
    else:
        yield node


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _from_name(name: str, kinds: Kinds) -> Any:
    if name in _PLAIN:
        return _PLAIN[name]
    if name in BOUNDED:
        return _bounded(BOUNDED[name])
    if name in (*_SEQUENCES, "tuple", "Tuple"):
        return _sequence()
    if name in _MAPPINGS:
        return _mapping()
    if name in _OBJECTS:
        return _object()
    registry = kinds.by_annotation(name)
    return Any if registry is None else Annotated[Any, Nested(registry.kind)]


def _from_subscript(node: ast.Subscript, kinds: Kinds) -> Any:
    name = _last_name(node.value)
    items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Literal":
        values = tuple(ast.literal_eval(item) for item in items)
        return Literal[values]
    if name == "Annotated":
        return _from_node(items[0], kinds)
    ellipsis = len(items) == 2 and isinstance(items[1], ast.Constant) and items[1].value is Ellipsis
    inner = [_from_node(item, kinds) for item in (items[:1] if ellipsis else items)]
    if name == "Optional":
        return _union([*inner, None])
    if name == "Union":
        return _union(inner)
    if name in ("tuple", "Tuple"):
        return _sequence(*inner, fixed=not ellipsis)
    if name in _SEQUENCES:
        return _sequence(*inner)
    return _mapping(*inner) if name in _MAPPINGS else Any


def _from_object(annotation: Any, kinds: Kinds) -> Any:
    """Translates a live annotation by the same rules as source text."""
    if annotation is None or annotation is type(None):
        return None
    if nested_kind(annotation) or derived_attribute(annotation) or configured(annotation) or fields(annotation):
        return annotation
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is None:
        if isinstance(annotation, type):
            known = annotation in _KNOWN_OBJECTS or annotation.__name__ in _OBJECTS
            return _from_name(annotation.__name__, kinds) if known else Any
        return Any
    if origin is Literal:
        return annotation
    if origin is Annotated and any(isinstance(extra, Bounds) for extra in arguments[1:]):
        return _bounded(annotation)
    if origin is Annotated:
        return _from_object(arguments[0], kinds)
    ellipsis = len(arguments) == 2 and arguments[1] is Ellipsis
    inner = [_from_object(item, kinds) for item in (arguments[:1] if ellipsis else arguments)]
    if origin in (Union, types.UnionType):
        return _union(inner)
    if origin is tuple:
        return _sequence(*inner, fixed=not ellipsis)
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return _mapping(*inner)
    if isinstance(origin, type) and issubclass(origin, Iterable):
        return _sequence(*inner)
    return Any


_KNOWN_OBJECTS = (int, float, bool, str, complex, bytes, list, tuple, dict, set, frozenset, Path)
