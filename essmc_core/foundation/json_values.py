"""Conversion to valid JSON, which has no NaN and infinity, although Python's json writes them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def json_values(value: Any) -> Any:
    """Returns the same data with null in place of numbers that are not finite, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_key(key): json_values(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_values(item) for item in value]
    return value


def to_json(value: Any, *, indent: int | None = None, ensure_ascii: bool = False) -> str:
    """Returns valid JSON; objects that JSON cannot represent become strings."""
    plain = json_values(value)
    return json.dumps(plain, indent=indent, ensure_ascii=ensure_ascii, default=str, allow_nan=False)


def _key(key: Any) -> Any:
    return str(key) if isinstance(key, float) and not math.isfinite(key) else key
