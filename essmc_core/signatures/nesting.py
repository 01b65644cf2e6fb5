"""Which components an evaluated annotation takes: one, or a sequence or mapping of them."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

from essmc_core.signatures.types import has_nested, nested_kind, options


def component_kind(annotated: Any) -> str | None:
    """Returns the kind of component that a type, or the first such member of a union, stands for; None for others."""
    return next((kind for kind in map(nested_kind, options(annotated)) if kind is not None), None)


def component_item(annotated: Any) -> Any:
    """Returns what a type's sequence or mapping of components holds, None where it has none."""
    containers = (member for member in options(annotated) if nested_kind(member) is None and has_nested(member))
    container = next(containers, None)
    if get_origin(container) is Annotated:
        container = get_args(container)[0]
    return next((argument for argument in get_args(container) if has_nested(argument)), None)
