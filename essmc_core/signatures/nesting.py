"""Which components an evaluated annotation takes: one, or a sequence or mapping of them."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

from essmc_core.signatures.types import configured, fields, has_configured, has_nested, nested_kind, options


def component_kind(annotated: Any) -> str | None:
    """Returns the kind of component that a type, or the first such member of a union, takes; None for other types."""
    return next((kind for kind in map(nested_kind, options(annotated)) if kind is not None), None)


def item_type(container: Any) -> Any:
    """Returns the item type of a sequence or mapping of components or of their configurations."""
    if get_origin(container) is Annotated:
        return item_type(get_args(container)[0])
    return next(argument for argument in get_args(container) if has_nested(argument) or has_configured(argument))


def holds_components(member: Any) -> bool:
    """Returns whether a type is a sequence or mapping of components rather than a component."""
    is_one = nested_kind(member) is not None or configured(member) is not None or bool(fields(member))
    return not is_one and (has_nested(member) or has_configured(member))
