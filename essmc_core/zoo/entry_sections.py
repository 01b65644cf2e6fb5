"""Checks of the sections of a zoo entry, so that an invalid file is a broken entry and does not abort a listing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from essmc_core.errors import ConfigError, EssmcError
from essmc_core.registry.declared import check_line, check_name
from essmc_core.zoo.fingerprint import read_fingerprint
from essmc_core.zoo.placed import PlacedMapping


def check_sections(config: PlacedMapping) -> None:
    """Checks the sections of an entry that listings show.

    Raises:
        ConfigError: a section has another form; the message states which, where, and what it must be.
    """
    for name, (accepts, form) in _FORMS.items():
        value = config.get(name)
        if value is not None and not _holds(accepts, value):
            raise ConfigError(f"`{name}` must be {form}, got {value!r}", where=config.where(name))
    read_fingerprint(config)


def _holds(accepts: Callable[[Any], bool], value: Any) -> bool:
    try:
        return accepts(value)
    except EssmcError:
        return False


def _is_names(value: Any) -> bool:
    if not isinstance(value, (list, tuple)):
        return False
    for name in value:
        check_name(name, "an alias")
    return True


def _is_line(value: Any) -> bool:
    check_line(value.strip() if isinstance(value, str) else value, "the summary")
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _is_cost(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        value.get(name) is None or _is_number(value[name]) for name in ("params", "gmacs")
    )


def _is_results(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(result, Mapping) for result in value)


def _is_labels(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, (list, tuple)) and all(isinstance(label, (str, int, float)) for label in value)


_FORMS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "summary": (_is_line, "one line of text"),
    "command": (_is_line, "the line that uses the model, e.g. `essmc shots VIDEO`"),
    "aliases": (_is_names, "a list of names without spaces and slashes"),
    "cost": (_is_cost, "a mapping whose `params` and `gmacs` are numbers"),
    "results": (_is_results, "a list of mappings"),
    "labels": (_is_labels, "a list of class names or a file"),
    "weights": (lambda value: isinstance(value, Mapping), "a mapping"),
    "input": (lambda value: isinstance(value, Mapping), "a mapping"),
    "knobs": (lambda value: isinstance(value, Mapping), "a mapping"),
}
