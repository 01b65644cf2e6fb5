"""Constructs a resolved configuration depth first, by imports and calls alone."""

from __future__ import annotations

from typing import Any

from essmc_core.building.beside import Beside, taken_from_beside
from essmc_core.building.part import Part
from essmc_core.contract.forward_notes import mark_built
from essmc_core.foundation.error_text import add_note


def construct(part: Any, beside: Beside | None = None, **supplied: Any) -> Any:
    """Constructs a part and everything nested in it.

    Args:
        part: what to construct; anything that is not a `Part` is built already and is returned.
        beside: the model's components that are built already.
        **supplied: arguments that the caller supplies; they replace those that are written.

    Raises:
        SchemaError: the model's backbone does not have the number that is written, or that the part needs.
        Exception: whatever a constructor raises, its type kept, with a note of the place in the configuration.
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
    """Adds a note of the place to an exception, once per level of nesting."""
    dotted, where = part.dotted, part.where
    note = f"while building {dotted + ': ' if dotted else ''}{part.component.qualified}"
    add_note(error, note + (f" at {where}" if where else ""))
