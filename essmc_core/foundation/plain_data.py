"""Converts configuration values to the plain Python data that constructors take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def plain_data(value: Any) -> Any:
    """Returns new dicts and tuples for mappings and sequences; any other object unchanged."""
    if isinstance(value, Mapping):
        return {key: plain_data(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return tuple(plain_data(item) for item in value)
    return value
