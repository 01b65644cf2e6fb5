"""Checks whether a plain value fits its annotation, and describes why it does not."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from essmc_core.contract.checking import Path
from essmc_core.foundation.names import did_you_mean
from essmc_core.foundation.plain_data import plain_data
from essmc_core.signatures.types import derived_attribute, without_limits

_LIMITS = {
    "greater_than_equal": "at least {}",
    "greater_than": "above {}",
    "less_than_equal": "at most {}",
    "less_than": "below {}",
}
"""Descriptions of the limits of a number, by pydantic's error type."""


class Misfit(NamedTuple):
    """Why a value does not fit.

    Attributes:
        path: where, within the value.
        message: what is wrong.
        hint: what to do.
        key: whether the key is wrong and not its value.
    """

    path: Path
    message: str
    hint: str = ""
    key: bool = False


def misfit(expected: Any, annotation: Any, value: Any, path: Path) -> Misfit | None:
    """Returns why a value does not fit, None if it does.

    Args:
        expected: the evaluated type.
        annotation: what it was evaluated from, for messages.
        value: plain data or an object.
        path: where the value is in the tree; its last name names a number in messages.
    """
    import pydantic

    try:
        _adapter(expected).validate_python(plain_data(value))
    except pydantic.ValidationError as error:
        errors = sorted(error.errors(), key=lambda item: -len(item["loc"]))
        for item in errors:
            if found := _outside_limits(item, value, path, str(annotation)) or _unknown_key(item, value):
                return found
        text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
        text = "int" if derived_attribute(expected) else without_limits(text)
        inner = _inside(errors[0]["loc"], value)
        return Misfit(inner, f"expected {text}, got {shown(errors[0]['input'] if inner else value)}")
    return None


def _outside_limits(error: Any, value: Any, path: Path, annotation: str) -> Misfit | None:
    words = _LIMITS.get(error["type"])
    if words is None:
        return None
    inner = _inside(error["loc"], value)
    name = next((part for part in reversed((*path, *inner)) if isinstance(part, str)), "the number")
    words = words.format(f"{next(iter(error['ctx'].values())):g}")
    words = "a chance in [0, 1]" if "Probability" in annotation else words
    return Misfit(inner, f"{name} must be {words}, got {error['input']!r}")


def _unknown_key(error: Any, value: Any) -> Misfit | None:
    if error["type"] != "literal_error" or error["loc"][-1:] != ("[key]",):
        return None
    known = re.findall(r"'([^']*)'", error["ctx"]["expected"])
    suggestion = did_you_mean(str(error["input"]), known) or f"it takes {', '.join(known)}"
    return Misfit(_inside(error["loc"][:-1], value), f"there is no {error['input']!r} here", suggestion, key=True)


def _inside(loc: Path, value: Any) -> Path:
    """Keeps the indices and keys of a location, without the labels that pydantic adds for members of a union."""
    return tuple(part for part in loc if _is_inside(value, part))


def _is_inside(value: Any, part: Any) -> bool:
    if isinstance(part, int):
        return isinstance(value, (list, tuple))
    return isinstance(value, Mapping) and part in value


@functools.lru_cache(maxsize=1024)
def _adapter(expected: Any) -> Any:
    import pydantic

    return pydantic.TypeAdapter(expected, config=pydantic.ConfigDict(strict=True))


def shown(value: Any) -> str:
    """Returns a value and its type as text for messages."""
    text = repr(plain_data(value))
    if len(text) > 60:
        text = text[:57] + "..."
    names = {type(None): "nothing", tuple: "sequence", list: "sequence"}
    if isinstance(value, Mapping):
        return f"the mapping {text}"
    return text if value is None else f"{text} ({names.get(type(value), type(value).__name__)})"
