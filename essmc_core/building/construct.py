"""Constructing a resolved configuration depth first: nothing but imports and calls."""

from __future__ import annotations

from typing import Any

from essmc_core.building.beside import Beside, taken_from_beside
from essmc_core.building.part import Part
from essmc_core.contract.forward_notes import mark_built
from essmc_core.foundation.error_text import add_note


def construct(part: Any, beside: Beside | None = None, **supplied: Any) -> Any:
    """Constructs a part and all inside it.

    Args:
        part: what is constructed; anything that is not a `Part` is there already and is returned.
        beside: the components beside it.
        **supplied: arguments that whoever constructs it gives; they take the place of those that are written.

    Raises:
        SchemaError: the backbone beside a part does not have the number that is written, or that the part needs.
        Exception: whatever a constructor raises, its type kept, with a note of where in the configuration it happened.
    """
    if not isinstance(part, Part):
        return part
    component = part.component
    target = component.load()
    arguments = {**component.bound, **taken_from_beside(part, beside)}
    siblings = Beside() if part.has_backbone else beside
    for name, value in part.arguments.items():
        arguments[name] = _constructed(value, siblings)
        if part.has_backbone and siblings is not None:
            siblings.take(part.kinds.get(name), arguments[name], value)
    try:
        built = target(**{**arguments, **supplied})
        mark_built(built, component.qualified, component.brought_by)
        if part.pretrain is not None:
            _load_into(built, part.pretrain)
    except Exception as error:
        _note(error, part)
        raise
    return built


def _constructed(value: Any, beside: Beside | None) -> Any:
    """Constructs the parts in an argument; only lists and dicts can hold any."""
    if isinstance(value, list):
        return [_constructed(item, beside) for item in value]
    if type(value) is dict:
        return {key: _constructed(item, beside) for key, item in value.items()}
    return construct(value, beside)


def _load_into(module: Any, source: Any) -> None:
    from essmc_core.weights import load_pretrained

    load_pretrained(module, source)


def _note(error: Exception, part: Part) -> None:
    """Adds where it happened to an exception of whatever type, once per level of nesting."""
    dotted, where = part.dotted, part.where
    note = f"while building {dotted + ': ' if dotted else ''}{part.component.qualified}"
    add_note(error, note + (f" at {where}" if where else ""))
